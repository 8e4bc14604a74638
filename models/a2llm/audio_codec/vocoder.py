"""Voice frames -> waveform, as a stream: pulse train through a learned filter, plus shaped noise, plus a
free-phase part, overlap-added (n_fft 1200, hop 300, Hann, 24 kHz).

Written after the description of the voice model (hibari, Apache-2.0), not after its code. The state
holds exactly what later frames still need, so a stream fed in any portions equals one call; the
first sample leaves LATENCY_FRAMES voice frames (50 ms) after it went in.
"""

from dataclasses import dataclass, field

import numpy as np

N_FFT, HOP, SAMPLE_RATE = 1200, 300, 24_000
BLOCKS = N_FFT // HOP
LATENCY_FRAMES = 4
VOICED_HZ, TOP_HZ = 40.0, 11_000.0
MAX_LOG_MAGNITUDE = 7.0
WINDOW = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(N_FFT) / N_FFT)).astype(np.float32)
# A unit cosine peaks at sum(window) / 2 in the spectrum: with this the filter's gain is the harmonic's size.
SOURCE_WINDOW = WINDOW * np.float32(4.0 / N_FFT)
_SQUARES = (WINDOW * WINDOW).reshape(BLOCKS, HOP)
_STEADY = _SQUARES.sum(0)
_RAMP = ((np.arange(HOP, dtype=np.float32) + 0.5) / HOP - 0.5).astype(np.float32)


@dataclass
class VocoderState:
    """What one stream carries from call to call."""

    seed: int = 0
    frames: int = 0  # voice frames taken in
    spectra: int = 0  # spectra made
    f0: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    heads: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    pulses: np.ndarray = field(default_factory=lambda: np.zeros(N_FFT // 2, np.float32))
    shaped: int = 0  # frames whose pulses are made
    phase: float = 0.0
    tail: np.ndarray = field(default_factory=lambda: np.zeros((BLOCKS, HOP), np.float32))
    noise: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.noise = np.random.default_rng(self.seed)


class Vocoder:
    """The spectral head [D, 5 * 601] and the synthesis around it. Holds no stream state."""

    def __init__(self, head_weight: np.ndarray, head_bias: np.ndarray) -> None:
        self._weight, self._bias = head_weight.astype(np.float32), head_bias.astype(np.float32)
        self._bins = N_FFT // 2 + 1

    def start(self, seed: int = 0) -> VocoderState:
        return VocoderState(seed)

    def decode(self, state: VocoderState, hidden: np.ndarray, f0_hz: np.ndarray, last: bool = False) -> np.ndarray:
        """Take voice frames [N, D] and pitch [N]; return the samples that are now certain.

        In total exactly HOP samples per frame leave, all of them once `last` is set.
        """
        heads = hidden.astype(np.float32) @ self._weight + self._bias
        state.heads = heads if not state.heads.size else np.concatenate((state.heads, heads))
        state.f0 = np.concatenate((state.f0, f0_hz.astype(np.float32)))
        state.frames += len(heads)
        self._shape_pulses(state, last)
        spectra = self._spectra(state, last)
        return self._overlap_add(state, spectra, last)

    def _shape_pulses(self, state: VocoderState, last: bool) -> None:
        """Pulses of every frame whose right neighbour's pitch is known."""
        until = state.frames if last else state.frames - 1
        first = state.shaped
        if until > first:
            base = state.frames - len(state.f0)
            padded = np.concatenate((state.f0[:1], state.f0, state.f0[-1:])) if base == 0 else \
                np.concatenate((state.f0, state.f0[-1:]))
            offset = (1 if base == 0 else 0) - base
            around = [padded[first + offset + k: until + offset + k] for k in (-1, 0, 1)]
            state.pulses = np.concatenate((state.pulses, self._pulse_train(state, *around)))
            state.shaped = until
            keep = max(0, until - 1 - base)
            state.f0 = state.f0[keep:]
        if last:
            state.pulses = np.concatenate((state.pulses, np.zeros(N_FFT // 2, np.float32)))

    def _pulse_train(self, state: VocoderState, left: np.ndarray, here: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Every harmonic below TOP_HZ at unit amplitude, from linearly interpolated pitch [n] -> [n * HOP].
        The sum of cosines is closed: sin((H + 1/2) t) / (2 sin(t / 2)) - 1/2."""
        ramp = _RAMP[None]
        pitch = np.where(ramp < 0, here[:, None] * (1 + ramp) - left[:, None] * ramp,
                         here[:, None] * (1 - ramp) + right[:, None] * ramp).reshape(-1)
        voiced = pitch > VOICED_HZ
        pitch = np.maximum(pitch, VOICED_HZ)
        cycles = state.phase + np.cumsum(pitch, dtype=np.float64) / SAMPLE_RATE
        state.phase = float(cycles[-1] % 1.0)
        angle = (2 * np.pi * (cycles % 1.0)).astype(np.float32)
        harmonics = np.floor(TOP_HZ / pitch) + 0.5
        below = 2 * np.sin(angle / 2)
        limit = np.abs(below) <= 2e-3
        train = np.where(limit, harmonics, np.sin(harmonics * angle) / np.where(limit, 1.0, below)) - 0.5
        return np.where(voiced, train, 0.0).astype(np.float32)

    def _spectra(self, state: VocoderState, last: bool) -> np.ndarray:
        """Spectra [n, bins] of the frames whose pulses reach half a window beyond their centre."""
        # Frame i is centred at sample i * HOP and sees pulses up to frame i + 1.
        until = state.frames if last else max(state.spectra, state.shaped - 1)
        count = until - state.spectra
        if count <= 0:
            return np.zeros((0, self._bins), np.complex64)
        windows = np.stack([state.pulses[i * HOP: i * HOP + N_FFT] for i in range(count)])
        source = np.fft.rfft(windows * SOURCE_WINDOW, axis=1)
        heads, state.heads = state.heads[:count], state.heads[count:]
        harmonic, turn, noise, free, phase = np.split(heads, 5, axis=1)
        draw = state.noise.standard_normal((count, 2 * self._bins), dtype=np.float32).view(np.complex64)
        spectra = source * _polar(harmonic, np.pi * np.tanh(turn)) + draw * _magnitude(noise) + _polar(free, phase)
        state.pulses = state.pulses[count * HOP:]
        state.spectra = until
        return spectra.astype(np.complex64)

    def _overlap_add(self, state: VocoderState, spectra: np.ndarray, last: bool) -> np.ndarray:
        """Samples of the hops that no later frame can touch; the first half window is before time 0."""
        count = len(spectra)
        first = state.spectra - count
        frames = np.fft.irfft(spectra, N_FFT, axis=1).astype(np.float32) * WINDOW
        hops = np.zeros((count + BLOCKS, HOP), np.float32)
        hops[:BLOCKS] += state.tail
        for block in range(BLOCKS):
            hops[block: block + count] += frames[:, block * HOP: (block + 1) * HOP]
        state.tail = hops[count:].copy()
        done = hops if last else hops[:count]
        index = np.arange(first, first + len(done))
        out = done / _window_sum(index, state.spectra if last else None)
        wanted = (index >= BLOCKS // 2) & (index < state.frames + BLOCKS // 2)
        return out[wanted].reshape(-1)


def _magnitude(log: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(log, MAX_LOG_MAGNITUDE))


def _polar(log: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """magnitude e^(i angle); float32 sine and cosine are several times faster than a complex exponential."""
    size, out = _magnitude(log), np.empty(angle.shape, np.complex64)
    out.real, out.imag = size * np.cos(angle), size * np.sin(angle)
    return out


def _window_sum(index: np.ndarray, total: int | None) -> np.ndarray:
    """Summed squared windows [n, HOP] (or [HOP] for all) over the hops `index`; `total` frames exist when it is known."""
    if total is None and len(index) and index[0] >= BLOCKS - 1:
        return _STEADY
    out = np.zeros((len(index), HOP), np.float32)
    for block in range(BLOCKS):
        frame = index - block
        present = (frame >= 0) if total is None else (frame >= 0) & (frame < total)
        out += present[:, None] * _SQUARES[block]
    return np.maximum(out, 1e-11)
