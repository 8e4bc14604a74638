"""Pitch, features and mel on sounds whose truth is known."""

import numpy as np
import pytest

from a2llm.listening.features import FEATURES, prosody
from a2llm.listening.mel import log_mel
from a2llm.listening.pitch import HOP_SAMPLES, track_pitch

pytestmark = pytest.mark.unit
RATE_HZ = 16_000


def buzz(f0_hz: np.ndarray) -> np.ndarray:
    """A voice-like sum of harmonics that follows f0_hz, one value per sample."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32)


def named(pcm: np.ndarray) -> dict[str, float]:
    return dict(zip(FEATURES, prosody(pcm).tolist(), strict=True))


@pytest.mark.parametrize("hz", [80.0, 130.0, 220.0, 400.0])
def test_pitch_of_a_steady_voice(hz: float):
    track = track_pitch(buzz(np.full(16_000, hz)))
    assert np.abs(track.f0_hz[4:-4] / hz - 1).max() < 0.01


def test_pitch_follows_a_glide():
    truth = np.linspace(120, 240, 32_000)
    found = track_pitch(buzz(truth)).f0_hz
    assert np.abs(found[5:-5] / truth[::HOP_SAMPLES][5:-5] - 1).max() < 0.02


def test_level_and_length_leave_pitch_features_alone():
    pcm = buzz(np.linspace(120, 180, 32_000))
    loud, quiet = prosody(pcm), prosody(0.05 * pcm)
    assert np.allclose(loud, quiet, atol=0.05)


def test_features_move_as_they_should():
    flat, wide = named(buzz(np.full(32_000, 150.0))), named(buzz(150 + 60 * np.sin(np.arange(32_000) / 3000)))
    assert wide["f0_range_st"] > flat["f0_range_st"] + 5
    rising = named(buzz(np.linspace(120, 240, 32_000)))
    assert rising["f0_slope_st_s"] == pytest.approx(6.0, abs=0.7) and rising["f0_end_st"] > 3
    bright = named(np.diff(buzz(np.full(32_000, 150.0)), prepend=0).astype(np.float32))
    assert bright["tilt_db_oct"] > flat["tilt_db_oct"] + 3


@pytest.mark.parametrize("pcm", [np.zeros(16_000), np.zeros(10), np.ones(16_000), np.random.default_rng(0).normal(size=16_000)])
def test_odd_sounds_give_finite_features(pcm: np.ndarray):
    found = prosody(pcm.astype(np.float32))
    assert found.shape == (len(FEATURES),) and np.isfinite(found).all()


def test_mel_equals_the_reference():
    from faster_whisper.feature_extractor import FeatureExtractor

    pcm = np.random.default_rng(0).normal(size=20_000).astype(np.float32) * 0.1
    reference = FeatureExtractor()(pcm, padding=0)
    assert np.abs(reference[:, : 20_000 // 160] - log_mel(pcm)).max() < 1e-4
