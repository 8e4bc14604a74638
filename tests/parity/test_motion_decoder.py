"""The motion codec's OpenVINO decoder equals the reference, step for step, in any batch and after any change of chunks."""

import torch
from support.models import tiny

from a2llm.layers.state import StreamState

FAST, REFERENCE = tiny.parts("openvino").motion_codec, tiny.motion_codec()
STEPS = 14


def codes(batch: int = 4) -> torch.Tensor:
    return torch.randint(tiny.MOTION.size, (batch, tiny.MOTION.levels, STEPS), generator=torch.Generator().manual_seed(0))


def steps(codec, drawn: torch.Tensor, state: StreamState) -> torch.Tensor:
    return torch.cat([codec.decode_step(drawn[..., t : t + 1], state) for t in range(drawn.shape[-1])], 1)


def test_steps_equal_the_whole():
    made = steps(FAST, codes(), StreamState())
    assert torch.allclose(made, REFERENCE.decode(codes()), atol=1e-5)


def test_a_batch_is_its_rows_to_the_bit():
    together = steps(FAST, codes(), StreamState())
    alone = [steps(FAST, row[None], StreamState()) for row in codes()]
    assert torch.equal(torch.cat(alone), together)


def test_both_share_one_state():
    """Steps, then a longer piece (which the reference decodes), then steps again."""
    drawn, state = codes(), StreamState()
    pieces = [steps(FAST, drawn[..., :5], state), FAST.decode_step(drawn[..., 5:9], state), steps(FAST, drawn[..., 9:], state)]
    assert torch.allclose(torch.cat(pieces, 1), REFERENCE.decode(drawn), atol=1e-5)


def test_fewer_levels_still_decode():
    few = codes()[:, :2, :1]
    assert torch.allclose(FAST.decode_step(few, StreamState()), REFERENCE.decode_step(few, StreamState()), atol=1e-5)


def test_blendshapes_stay_in_range():
    shapes = steps(FAST, codes(), StreamState())[..., :52]
    assert shapes.min() == 0.0
    assert shapes.max() <= 1.0
