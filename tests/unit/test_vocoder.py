"""The vocoder makes the pitch and the loudness it is told, and exactly the samples that belong to its frames."""

import numpy as np
import pytest
from support.models import tiny

from a2llm.audio_codec.vocoder import Vocoder
from a2llm.clock import FrameClock

N_FFT, HOP, SAMPLE_RATE = 1200, 300, FrameClock.sample_rate_hz
BINS = N_FFT // 2 + 1
LOUD, SILENT = float(np.log(N_FFT / 4)), -20.0  # LOUD: a harmonic of size 1


def plain(harmonic: float = SILENT, noise: float = SILENT) -> Vocoder:
    """A flat filter: log gain of the pulses, of the noise; no free part."""
    bias = np.concatenate([np.full(BINS, v) for v in (harmonic, 0.0, noise, SILENT, 0.0)])
    return Vocoder(np.zeros((4, 5 * BINS)), bias)


def say(vocoder: Vocoder, f0_hz: list[float] | np.ndarray, seed: int = 0) -> np.ndarray:
    f0 = np.asarray(f0_hz, np.float32)
    return vocoder.decode(vocoder.start(seed), np.zeros((len(f0), 4), np.float32), f0, last=True)


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 4, 5, 37])
def test_every_frame_has_its_samples(frames: int):
    made = say(plain(LOUD), np.full(frames, 150.0))
    assert made.shape == (frames * HOP,)
    assert made.dtype == np.float32
    assert np.isfinite(made).all()


@pytest.mark.parametrize("f0_hz", [80.0, 200.0, 480.0])
def test_pulses_come_at_the_pitch(f0_hz: float):
    made = say(plain(LOUD), np.full(80, f0_hz))[SAMPLE_RATE // 4 :]
    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    hertz = np.fft.rfftfreq(len(made), 1 / SAMPLE_RATE)
    peaks = hertz[1:-1][(spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:]) & (spectrum[1:-1] > 0.5 * spectrum.max())]
    peaks = peaks[peaks < 4000]
    assert abs(peaks[0] - f0_hz) < 2
    assert np.allclose(np.diff(peaks), f0_hz, atol=3)


def test_a_harmonic_has_the_filters_size():
    made = say(plain(LOUD), np.full(80, 6000.0))[2400:-2400]  # one harmonic below the top
    assert abs(made.std() * np.sqrt(2) - 1.0) < 0.02


def test_pitch_glides_without_steps():
    made = say(plain(LOUD), np.geomspace(6000, 9000, 80))[2400:-2400]
    assert np.abs(np.abs(made).reshape(-1, 100).max(1) - 1.0).max() < 0.05


def test_unvoiced_is_silent_but_for_noise():
    assert np.abs(say(plain(LOUD), np.zeros(20))).max() < 1e-4
    assert say(plain(noise=LOUD), np.zeros(20)).std() > 0.01


def test_noise_follows_the_seed():
    one, same, other = (say(plain(noise=LOUD), np.zeros(20), seed) for seed in (1, 1, 2))
    assert one.tobytes() == same.tobytes()
    assert one.tobytes() != other.tobytes()


def test_loud_heads_are_limited():
    assert np.isfinite(say(plain(200.0, 200.0), np.full(12, 200.0))).all()


def test_the_tiny_voice_speaks():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(40, tiny.CODEC.width)).astype(np.float32)
    made = tiny.vocoder().decode(tiny.vocoder().start(), hidden, np.full(40, 200.0, np.float32), last=True)
    assert 1e-4 < np.abs(made).max() < 10
