"""Change of rate: streaming = offline, in time, clean, and no later than its filter's half."""

import numpy as np
import pytest

from a2llm.resampling import FINE_HALF_WIDTH, HALF_WIDTH, Resampler, resample

RATES = [(24_000, 16_000), (24_000, 8_000), (8_000, 24_000), (16_000, 24_000), (11_025, 24_000), (44_100, 16_000)]


def tone(hz: float, rate_hz: int, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def in_blocks(stream: Resampler, signal: np.ndarray, last: bool) -> np.ndarray:
    rng, at, parts = np.random.default_rng(1), 0, []
    while at < len(signal):
        size = int(rng.integers(0, 300))
        parts.append(stream.push(signal[at : at + size]))
        at += size
    return np.concatenate([*parts, stream.push(signal[:0], last)])


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
@pytest.mark.parametrize("aligned", [False, True])
def test_blocks_of_any_size_resample_as_one(from_hz: int, to_hz: int, aligned: bool):
    signal = np.random.default_rng(0).normal(0, 0.1, 4001).astype(np.float32)
    whole = Resampler(from_hz, to_hz, aligned=aligned).push(signal, aligned)
    np.testing.assert_allclose(in_blocks(Resampler(from_hz, to_hz, aligned=aligned), signal, aligned), whole, atol=1e-6)
    assert len(whole) == -(-len(signal) * to_hz // from_hz)


@pytest.mark.parametrize(("from_hz", "to_hz"), RATES)
def test_a_clip_stays_in_time_and_clean(from_hz: int, to_hz: int):
    out = resample(tone(440, from_hz), from_hz, to_hz)
    assert len(out) == to_hz
    assert np.abs(out - tone(440, to_hz))[400:-400].max() < 1e-4


@pytest.mark.parametrize(("from_hz", "to_hz", "hz"), [(24_000, 16_000, 10_000), (24_000, 8_000, 6_000), (48_000, 16_000, 12_000)])
def test_what_the_lower_rate_cannot_hold_is_gone(from_hz: int, to_hz: int, hz: float):
    assert np.abs(resample(tone(hz, from_hz), from_hz, to_hz))[400:-400].max() < 1e-3


def test_windows_of_32_ms_are_512_samples_at_16_khz():
    resampler = Resampler(24_000, 16_000)
    assert {len(resampler.push(np.zeros(768, np.float32))) for _ in range(10)} == {512}


@pytest.mark.parametrize(("half_width", "late_ms"), [(HALF_WIDTH, 0.5), (FINE_HALF_WIDTH, 1.0)])
def test_a_stream_is_late_by_its_filters_half(half_width: int, late_ms: float):
    click = np.zeros(2400, np.float32)
    click[240] = 1
    heard = Resampler(24_000, 16_000, half_width).push(click)
    assert np.argmax(heard) / 16 == 10 + late_ms
    aligned = Resampler(24_000, 16_000, half_width, aligned=True)
    assert (2400 / 24 - len(aligned.push(click)) / 16) <= late_ms + 1 / 16


def test_one_rate_passes_through():
    signal = tone(440, 16_000)
    assert np.array_equal(Resampler(16_000, 16_000, aligned=True).push(signal), signal)
    assert np.array_equal(resample(signal, 16_000, 16_000), signal)


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(ValueError, match="positive"):
        Resampler(0, 16_000)
