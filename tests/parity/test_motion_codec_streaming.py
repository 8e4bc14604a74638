"""Streaming equals offline for the motion codec, and a batch equals its rows."""

import pytest
import torch

from a2llm.layers.state import StreamState
from a2llm.motion_codec import MotionCodec, MotionCodecConfig

pytestmark = pytest.mark.parity


@pytest.fixture
def codec() -> MotionCodec:
    torch.manual_seed(0)
    model = MotionCodec(MotionCodecConfig()).eval()
    model.quantizer.codebooks.normal_()
    return model


def _codes(batch: int = 4, steps: int = 20) -> torch.Tensor:
    return torch.randint(256, (batch, 6, steps), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_steps_equal_the_whole(codec, chunk):
    codes, state = _codes(), StreamState()
    made = [codec.decode_step(codes[..., at : at + chunk], state) for at in range(0, 20, chunk)]
    assert torch.allclose(torch.cat(made, 1), codec.decode(codes), atol=1e-5)


def test_a_batch_equals_its_rows(codec):
    codes = _codes()
    singles = torch.cat([codec.decode(row[None]) for row in codes])
    assert torch.allclose(codec.decode(codes), singles, atol=1e-5)


def test_streams_join_leave_and_start_again(codec):
    codes, joined = _codes(), StreamState()
    codec.decode_step(codes.flip(0), joined)  # others, whose places are taken over
    for row in range(4):
        codec.decode_step(codes[row : row + 1, :, :10], state := StreamState())
        joined.put(torch.tensor([row]), state)
    rest = codec.decode_step(codes[:, :, 10:], joined)
    assert torch.allclose(rest, codec.decode(codes)[:, 20:], atol=1e-5)
    alone = joined.take(torch.tensor([2]))
    joined.reset(torch.tensor([1]))
    again = codec.decode_step(codes, joined)
    assert torch.allclose(again[1], codec.decode(codes)[1], atol=1e-5)
    assert torch.allclose(codec.decode_step(codes[2:3], alone), again[2:3], atol=1e-5)
