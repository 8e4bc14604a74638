"""The vocoder's synthesis with gradients, and how far its sound is from another one. For training what makes voice frames.

The same sums as audio_codec/vocoder.py, of which a test holds it to; there numpy streams, here torch learns. N frames of `hop`
samples, F bins.
"""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from a2llm.audio_codec.openvino_decoder import MAX_LOG_MAGNITUDE
from a2llm.audio_codec.vocoder import BLOCKS, Vocoder, VocoderState, Windows

RESOLUTIONS = ((256, 64), (512, 128), (1024, 256), (2048, 512))  # window and hop
_MEL_BANDS, _LOWEST_HZ, _HIGHEST_HZ = 80, 20.0, 11_900.0


def pulses(f0_hz: np.ndarray, bins: int, seed: int) -> np.ndarray:
    """The vocoder's pulse train for a pitch [N] at 80 Hz, float32 [N * hop]."""
    vocoder = Vocoder(np.zeros((1, 5 * bins), np.float32), np.zeros(5 * bins, np.float32))
    state = VocoderState(seed, vocoder.hop, phase=float(np.random.default_rng(seed).random()))
    padded = np.concatenate((f0_hz[:1], f0_hz, f0_hz[-1:])).astype(np.float32)[None]
    return vocoder.pulse_train([state], padded[:, :-2], padded[:, 1:-1], padded[:, 2:])[0]


def synthesise(
    hidden: Tensor, pulse: Tensor, weight: Tensor, bias: Tensor, rate_hz: int, generator: torch.Generator | None = None
) -> Tensor:
    """Voice frames [B, N, D] and pulses [B, N * hop] through the head [D, 5 F] -> samples [B, N * hop]."""
    rows, frames, _ = hidden.shape
    windows = _windows(weight.shape[1] // 5, rate_hz)
    size, hop, bins = windows.n_fft, windows.hop, windows.bins
    window = torch.from_numpy(windows.window)
    source = F.pad(pulse, (size // 2, size // 2)).unfold(1, size, hop)[:, :frames] * torch.from_numpy(windows.source)
    gain, turn, noise, free, phase = (hidden @ weight + bias).split(bins, -1)
    harmonic = torch.fft.rfft(source, dim=-1) * torch.polar(_size(gain), torch.tanh(turn) * np.pi)
    draw = torch.view_as_complex(torch.randn(rows, frames, bins, 2, generator=generator))
    pieces = torch.fft.irfft(harmonic + draw * _size(noise) + torch.polar(_size(free), phase), size, dim=-1) * window
    whole = _overlap_add(pieces, hop) / _overlap_add((window * window).expand(1, frames, size), hop).clamp(min=1e-3)
    return whole[:, size // 2 : size // 2 + frames * hop]


@cache
def _windows(bins: int, rate_hz: int) -> Windows:
    return Windows(bins, rate_hz)


def _size(log: Tensor) -> Tensor:
    return torch.exp(log.clamp(max=MAX_LOG_MAGNITUDE))


def _overlap_add(pieces: Tensor, hop: int) -> Tensor:
    """[B, N, size] -> [B, (N - 1) * hop + size]"""
    rows, frames, _ = pieces.shape
    out = pieces.new_zeros(rows, (frames - 1) + BLOCKS, hop)
    blocks = pieces.reshape(rows, frames, BLOCKS, hop)
    for block in range(BLOCKS):
        out[:, block : block + frames] = out[:, block : block + frames] + blocks[:, :, block]
    return out.reshape(rows, -1)


def distance(made: Tensor, wanted: Tensor, rate_hz: int) -> Tensor:
    """Mean over resolutions of log-magnitude and log-mel L1 and spectral convergence (Yamamoto et al. 2020) of samples [B, S]."""
    total = made.new_zeros(())
    for size, hop in RESOLUTIONS:
        window = torch.hann_window(size)
        a, b = (torch.stft(x, size, hop, size, window, return_complex=True).abs() for x in (made, wanted))
        total = total + 0.5 * F.l1_loss((a + 1e-3).log(), (b + 1e-3).log()) + 0.5 * (a - b).norm() / (b.norm() + 1e-3)
        mel = mel_filters(size, min(_MEL_BANDS, size // 8), rate_hz)
        total = total + F.l1_loss((mel @ a + 1e-3).log(), (mel @ b + 1e-3).log())
    return total / len(RESOLUTIONS)


@cache
def mel_filters(size: int, bands: int, rate_hz: int) -> Tensor:
    """Triangles of unit sum, [bands, size / 2 + 1], evenly spaced in mel (O'Shaughnessy 1987)."""
    hertz = np.linspace(0, rate_hz / 2, size // 2 + 1)
    low, high = (2595 * np.log10(1 + edge / 700) for edge in (_LOWEST_HZ, _HIGHEST_HZ * rate_hz / 24_000))
    edges = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    left, centre, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    filters = np.clip(np.minimum((hertz - left) / (centre - left), (right - hertz) / (right - centre)), 0, None)
    return torch.from_numpy((filters / np.maximum(filters.sum(1, keepdims=True), 1e-8)).astype(np.float32))
