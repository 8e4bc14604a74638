"""Voice activity: segments by rule, streaming equals offline, noise is not speech."""

import itertools

import numpy as np
import pytest

from a2llm.listening.vad import Segment, SegmentRule, SileroVad, segments_of
from a2llm.vad_network import WINDOW_SAMPLES, VadState

pytestmark = pytest.mark.unit
PLAIN = SegmentRule(min_speech_ms=64, min_pause_ms=96, pad_ms=0)


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return SileroVad()


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0, 0, 0], []),
        ([0, 1, 1, 1, 0], [(1, 4)]),
        ([0, 1, 0, 0, 0, 1, 1], [(5, 7)]),  # one window is a click
        ([1, 1, 0, 1, 1, 0, 0, 0, 1, 1], [(0, 5), (8, 10)]),  # one quiet window is no pause
        ([0.4, 0.6, 0.4, 0.4, 0.3], [(1, 4)]),  # hysteresis
    ],
)
def test_segments_by_rule(probabilities: list[float], expected: list[tuple[int, int]]):
    total = len(probabilities) * WINDOW_SAMPLES
    assert segments_of(probabilities, total, PLAIN) == [Segment(a * WINDOW_SAMPLES, b * WINDOW_SAMPLES) for a, b in expected]


def test_padding_stays_inside_and_never_overlaps():
    found = segments_of([1] * 5 + [0] * 8 + [1] * 5, 18 * WINDOW_SAMPLES, SegmentRule(min_pause_ms=96, pad_ms=100))
    assert found[0].start_samples == 0 and found[-1].end_samples == 18 * WINDOW_SAMPLES
    assert all(a.end_samples < b.start_samples for a, b in itertools.pairwise(found))


def noises() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    t = np.arange(48_000) / 16_000
    return {
        "silence": np.zeros(48_000),
        "white": 0.3 * rng.normal(size=48_000),
        "brown": 0.002 * np.cumsum(rng.normal(size=48_000)),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * t),
        "clicks": (rng.random(48_000) > 0.999) * 0.9,
        "offset": np.full(48_000, 0.5),
    }


@pytest.mark.parametrize("name", sorted(noises()))
def test_noise_is_not_speech(vad: SileroVad, name: str):
    assert vad.speech_segments(noises()[name].astype(np.float32)) == []


def test_streaming_equals_offline(vad: SileroVad):
    rng = np.random.default_rng(1)
    pcm = (rng.normal(size=20_000) * np.sin(np.arange(20_000) / 900)).astype(np.float32)
    state, parts, at = VadState(), [], 0
    while at < len(pcm):
        size = int(rng.integers(1, 1500))
        parts.append(vad.step(state, pcm[at : at + size]))
        at += size
    streamed = np.concatenate(parts)
    assert np.allclose(streamed, vad.probabilities(pcm)[: len(streamed)], atol=1e-5)
    assert len(state.rest) == 20_000 % WINDOW_SAMPLES


def test_nothing_at_all(vad: SileroVad):
    assert vad.speech_segments(np.zeros(0, np.float32)) == []
