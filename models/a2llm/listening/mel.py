"""Whisper's log-mel spectrogram in numpy. Only what the ear needs: 80 bands, 16 kHz, 10 ms hop.

Source: Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision" (2022), section 2.2; Slaney's mel scale.
"""

from functools import lru_cache

import numpy as np

from a2llm.clock import EAR_RATE_HZ

HOP_SAMPLES = 160
WINDOW_SAMPLES = 400
_BANDS = 80


def log_mel(pcm: np.ndarray) -> np.ndarray:
    """Sound float32 [S] -> log-mel float32 [80, S // 160], scaled as Whisper was trained."""
    half = WINDOW_SAMPLES // 2
    padded = np.pad(pcm.astype(np.float32), half, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::HOP_SAMPLES][: len(pcm) // HOP_SAMPLES]
    window = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float32) ** 2  # [F, 201]
    log = np.log10(np.maximum(mel_filters(_BANDS) @ power.T, 1e-10))
    return ((np.maximum(log, log.max() - 8.0) + 4.0) / 4.0).astype(np.float32)


@lru_cache
def mel_filters(bands: int) -> np.ndarray:
    """Triangular filters of equal area, float32 [bands, 201]."""
    edges_hz = _mel_to_hz(np.linspace(0.0, _hz_to_mel(EAR_RATE_HZ / 2), bands + 2))
    bins_hz = np.fft.rfftfreq(WINDOW_SAMPLES, 1 / EAR_RATE_HZ)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising, falling = (bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)
    return (np.clip(np.minimum(rising, falling), 0, None) * 2 / (high - low)).astype(np.float32)


def _hz_to_mel(hz: float) -> float:
    """Slaney: linear (66.7 Hz per mel) below 1 kHz, then 27 mels per factor of 6.4. For frequencies above 1 kHz."""
    return 15.0 + 27.0 * np.log(hz / 1000.0) / np.log(6.4)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15.0, mel * 200.0 / 3.0, 1000.0 * np.exp((mel - 15.0) * np.log(6.4) / 27.0))
