"""Pitch of speech by normalised autocorrelation, in numpy, 100 frames a second.

Source: Boersma, "Accurate short-term analysis of the fundamental frequency" (1993), without its path search: octave slips are
mended against the clip's median instead, which is enough for statistics and for pitch-synchronous overlap-add.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.clock import EAR_RATE_HZ

HOP_SAMPLES = 160
_WINDOW_SAMPLES = 640
_FFT = 1024  # more than the window and the longest lag together
_LOW_HZ, _HIGH_HZ = 65.0, 550.0
_VOICED = 0.5
_SILENT_DB = 35.0  # this far below the loudest frames nothing counts as voiced
_OCTAVE_COST = 0.06  # favours the higher of two equally good pitches


@dataclass(frozen=True)
class PitchTrack:
    """f0_hz [F]: 0 where unvoiced. strength [F]: the autocorrelation there, 0..1. level_db [F]: frame energy."""

    f0_hz: np.ndarray
    strength: np.ndarray
    level_db: np.ndarray


def track_pitch(pcm: np.ndarray) -> PitchTrack:
    """Sound float32 [S] at 16 kHz -> a frame every 160 samples, [max(1, S // 160)]."""
    frames = windows_of(pcm)
    level_db = 10 * np.log10((frames**2).mean(1) + 1e-10)
    correlation, lags = _autocorrelation(frames - frames.mean(1, keepdims=True))
    score = correlation - _OCTAVE_COST * np.log2(lags * _HIGH_HZ / EAR_RATE_HZ)
    best = np.clip(score.argmax(1), 1, len(lags) - 2)
    strength, lag = _refine(correlation, lags, best)
    loud = level_db > np.percentile(level_db, 95) - _SILENT_DB
    voiced = _drop_blips((strength > _VOICED) & loud)
    return PitchTrack(_mend_octaves(np.where(voiced, EAR_RATE_HZ / lag, 0.0)), np.clip(strength, 0.0, 0.999), level_db)


def windows_of(pcm: np.ndarray) -> np.ndarray:
    """Windows of 40 ms centred on every tenth millisecond, [F, 640]."""
    count = max(1, len(pcm) // HOP_SAMPLES)
    half = _WINDOW_SAMPLES // 2
    padded = np.pad(pcm.astype(np.float32), (half, half + HOP_SAMPLES))
    return np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_SAMPLES)[::HOP_SAMPLES][:count]


def _autocorrelation(frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Autocorrelation of the windowed frames over that of the window, [F, L], and the lags [L] in samples."""
    window = np.hanning(_WINDOW_SAMPLES).astype(np.float32)
    lags = np.arange(int(EAR_RATE_HZ / _HIGH_HZ), int(EAR_RATE_HZ / _LOW_HZ) + 2)
    spectra = np.fft.rfft(np.vstack([frames * window, window[None]]), _FFT, axis=1)
    correlation = np.fft.irfft(spectra.real**2 + spectra.imag**2, axis=1)
    correlation = correlation / (correlation[:, :1] + 1e-9)
    return correlation[:-1, lags] / correlation[-1, lags], lags


def _refine(correlation: np.ndarray, lags: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Parabola through the best lag and its neighbours: height and place, both [F]."""
    rows = np.arange(len(best))
    left, middle, right = (correlation[rows, best + step] for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    offset = np.clip(0.5 * (left - right) / np.where(np.abs(bend) < 1e-9, 1e-9, bend), -0.5, 0.5)
    return middle, lags[best] + offset


def _drop_blips(voiced: np.ndarray) -> np.ndarray:
    """Voicing of fewer than three frames in a row is a click."""
    three = voiced[:-2] & voiced[1:-1] & voiced[2:] if len(voiced) > 2 else np.zeros(0, bool)
    kept = np.zeros_like(voiced)
    for shift in range(3):
        kept[shift : shift + len(three)] |= three
    return kept


def _mend_octaves(f0_hz: np.ndarray) -> np.ndarray:
    """Fold what lies more than 9 semitones beside a running median of 0.3 s by an octave towards it."""
    voiced = np.flatnonzero(f0_hz)
    if len(voiced) < 5:
        return f0_hz
    log = np.log2(f0_hz[voiced])
    padded = np.pad(log, 15, mode="edge")
    local = np.median(np.lib.stride_tricks.sliding_window_view(padded, 31), axis=1)
    middle = 0.5 * local + 0.5 * np.median(log)
    log = log - np.round(np.clip((log - middle) / 1.5, -1, 1))
    mended = f0_hz.copy()
    mended[voiced] = 2**log
    return mended
