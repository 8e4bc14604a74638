"""The motion codec at a tiny size: shapes, limits, fewer levels, and that training learns."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from a2llm.affect import AFFECTS, Affect
from a2llm.data.motion_teacher import idle_motion
from a2llm.head.geometry import HeadGeometry
from a2llm.motion_codec import MotionCodec, MotionCodecConfig
from a2llm.training.loop import LoopConfig
from a2llm.training.motion_codec import FaceSurface, MotionCodecTraining, train_motion_codec

pytestmark = pytest.mark.unit
TINY = MotionCodecConfig(width=32, latent=16, levels=3, size=32, encoder_dilations=(1,), decoder_dilations=(1,))
QUICK = MotionCodecTraining(TINY, batch=8, loop=LoopConfig(steps=40, peak_lr=2e-3, warmup_steps=5, log_every=1))


def _motions() -> list[np.ndarray]:
    return [idle_motion(200, Affect(a, 0.8 if i else 0.0), seed=i) for i, a in enumerate(AFFECTS)]


@cache
def _trained() -> tuple[MotionCodec, list[float]]:
    losses: list[float] = []
    with TemporaryDirectory() as folder:
        codec, facts = train_motion_codec(_motions(), Path(folder), QUICK, "cpu", lambda s, n, figures: losses.append(figures["loss"]))
    assert facts["steps"] == len(losses) == 40
    return codec, losses


def test_training_learns():
    _, losses = _trained()
    assert losses[-1] < 0.5 * losses[0]


def test_too_little_motion_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="fewer than one window"):
        train_motion_codec([np.zeros((40, 61))], tmp_path, QUICK)
    assert not list(tmp_path.iterdir())


def test_shapes_limits_and_levels():
    codec, _ = _trained()
    motion = torch.from_numpy(_motions()[0][:41])[None].repeat(2, 1, 1)  # odd: the last frame is repeated
    codes = codec.encode(motion)
    assert codes.shape == (2, 3, 21) and codes.dtype == torch.int64
    assert codec.embed(codes).shape == (2, 21, 16)
    for levels in (1, 3):
        made = codec.decode(codes[:, :levels])
        assert made.shape == (2, 42, 61)
        assert made[..., :52].min() >= 0 and made[..., :52].max() <= 1


def test_the_codec_is_causal():
    codec = MotionCodec(TINY).eval()
    motion = torch.rand(1, 40, 61, generator=torch.Generator().manual_seed(0))
    changed = motion.clone()
    changed[:, 20:] = 0
    assert torch.allclose(codec.latents(motion)[:, :10], codec.latents(changed)[:, :10], atol=1e-6)


def test_quadratic_form_is_the_vertex_error():
    head = HeadGeometry.load()
    surface = FaceSurface.of(head, torch.device("cpu"))
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 5, 61), np.float32)
    error = torch.from_numpy(x - y)
    expected = np.square(head.vertices(x, "lips") - head.vertices(y, "lips")).sum(-1).mean()
    assert float(((error @ surface.lips) * error).sum(-1).mean()) == pytest.approx(expected, rel=1e-3)
    assert np.allclose(surface.gaps(torch.from_numpy(x)).numpy(), head.lip_gaps(x), atol=1e-3)


def test_bad_sizes_and_data_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        MotionCodecConfig(width=0)
    with pytest.raises(ValueError, match="levels"):
        MotionCodec(TINY).decode(torch.zeros(1, 4, 2, dtype=torch.long))
