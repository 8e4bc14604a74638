"""Voice frames -> waveform, as a stream: pulse train through a learned filter, plus shaped noise, plus a
free-phase part, overlap-added with Hann windows of four hops (1200 samples at 24 kHz in the weights that ship).

Written after the description of the voice model (hibari, Apache-2.0), not after its code. The state
holds exactly what later frames still need, so a stream fed in any portions equals one call; the
first sample leaves LATENCY_FRAMES voice frames (50 ms there) after it went in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from a2llm.audio_codec.frames import VOICED_HZ
from a2llm.audio_codec.openvino_decoder import SpectralHead
from a2llm.clock import FrameClock

BLOCKS = 4  # hops in a window
LATENCY_FRAMES = 4


class Windows:
    """Sizes and windows of an overlap-add of `bins` frequencies, and the highest harmonic at `sample_rate_hz`."""

    def __init__(self, bins: int, sample_rate_hz: int) -> None:
        self.bins, self.n_fft, self.hop = bins, 2 * (bins - 1), 2 * (bins - 1) // BLOCKS
        self.sample_rate_hz, self.top_hz = sample_rate_hz, 11 * sample_rate_hz / 24
        self.window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.n_fft) / self.n_fft)).astype(np.float32)
        # A unit cosine peaks at sum(window) / 2 in the spectrum: with this the filter's gain is the harmonic's size.
        self.source = self.window * np.float32(4.0 / self.n_fft)
        self.squares = (self.window * self.window).reshape(BLOCKS, self.hop)
        self.steady = self.squares.sum(0)
        self.ramp = ((np.arange(self.hop, dtype=np.float32) + 0.5) / self.hop - 0.5).astype(np.float32)

    def summed(self, index: np.ndarray, total: int | None) -> np.ndarray:
        """Summed squared windows [n, hop] (or [hop] for all) over the hops `index`; `total` frames exist when it is known."""
        if total is None and len(index) and index[0] >= BLOCKS - 1:
            return self.steady
        out = np.zeros((len(index), self.hop), np.float32)
        for block in range(BLOCKS):
            frame = index - block
            present = (frame >= 0) if total is None else (frame >= 0) & (frame < total)
            out += present[:, None] * self.squares[block]
        return np.maximum(out, 1e-11)


@dataclass
class VocoderState:
    """State of one stream between calls."""

    seed: int
    hop: int  # samples of a voice frame
    frames: int = 0  # voice frames taken in
    spectra: int = 0  # spectra made
    shaped: int = 0  # frames whose pulses are made
    phase: float = 0.0
    hidden: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))  # of frames without a spectrum
    f0: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))  # from the last shaped frame on
    pulses: np.ndarray = field(init=False)
    tail: np.ndarray = field(init=False)
    noise: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.noise = np.random.default_rng(self.seed)
        self.pulses = np.zeros(BLOCKS * self.hop // 2, np.float32)
        self.tail = np.zeros((BLOCKS, self.hop), np.float32)

    def phase_of_life(self, last: bool) -> tuple[int, ...]:
        """Equal for streams that take the same way through the next call: all that have begun and do not end."""
        age = self.frames if last else min(self.frames, 2 * BLOCKS)
        return age, self.frames - self.shaped, self.frames - self.spectra, last


@dataclass(frozen=True)
class VoicePart:
    """Input of one stream to a call: voice frames [N, D] and pitch [N]; `last` if nothing follows."""

    state: VocoderState
    hidden: np.ndarray
    f0_hz: np.ndarray
    last: bool = False


class Vocoder:
    """The spectral head [D, 5 * bins] and the synthesis around it. Holds no stream state."""

    def __init__(
        self, head_weight: np.ndarray, head_bias: np.ndarray, threads: int = 1, sample_rate_hz: int = FrameClock.sample_rate_hz
    ) -> None:
        self._head = SpectralHead(head_weight, head_bias, threads)
        self._windows = Windows(head_weight.shape[1] // 5, sample_rate_hz)

    @property
    def hop(self) -> int:
        """Samples of a voice frame."""
        return self._windows.hop

    def start(self, seed: int = 0) -> VocoderState:
        return VocoderState(seed, self.hop)

    def decode(self, state: VocoderState, hidden: np.ndarray, f0_hz: np.ndarray, last: bool = False) -> np.ndarray:
        """Take voice frames [N, D] and pitch [N]; return the samples that are now certain.

        In total exactly `hop` samples per frame leave, all of them once `last` is set.
        """
        return self.decode_many([VoicePart(state, hidden, f0_hz, last)])[0]

    def decode_many(self, parts: Sequence[VoicePart]) -> list[np.ndarray]:
        """Decodes many streams at once; the samples [S] of each, the same as alone."""
        alike: dict[tuple[int, ...], list[int]] = {}
        for index, part in enumerate(parts):
            alike.setdefault((len(part.hidden), *part.state.phase_of_life(part.last)), []).append(index)
        out = [np.zeros(0, np.float32)] * len(parts)
        for places in alike.values():
            for place, pcm in zip(places, self._decode([parts[i] for i in places]), strict=True):
                out[place] = pcm
        return out

    def _decode(self, parts: list[VoicePart]) -> np.ndarray:
        """Streams of one age and length: samples [B, S]."""
        states, last = [part.state for part in parts], parts[0].last
        for part in parts:
            state, hidden = part.state, part.hidden.astype(np.float32)
            state.hidden = hidden if not state.hidden.size else np.concatenate((state.hidden, hidden))
            state.f0 = np.concatenate((state.f0, part.f0_hz.astype(np.float32)))
            state.frames += len(hidden)
        self._shape_pulses(states, last)
        return self._overlap_add(states, self._spectra(states, last), last)

    def _shape_pulses(self, states: list[VocoderState], last: bool) -> None:
        """Pulses of every frame whose right neighbour's pitch is known."""
        one = states[0]
        first, until = one.shaped, one.frames if last else one.frames - 1
        base = one.frames - len(one.f0)
        count = max(0, until - first)
        if count:
            f0 = np.stack([state.f0 for state in states])
            padded = np.concatenate(((f0[:, :1],) if base == 0 else ()) + (f0, f0[:, -1:]), axis=1)
            offset = first + (1 if base == 0 else 0) - base
            around = [padded[:, offset + k : offset + k + count] for k in (-1, 0, 1)]
            trains = self.pulse_train(states, *around)
            for state, train in zip(states, trains, strict=True):
                state.pulses = np.concatenate((state.pulses, train))
                state.f0 = state.f0[max(0, until - 1 - base) :]
                state.shaped += count
        if last:
            for state in states:
                state.pulses = np.concatenate((state.pulses, np.zeros(self._windows.n_fft // 2, np.float32)))

    def pulse_train(self, states: list[VocoderState], left: np.ndarray, here: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Every harmonic below the top at unit amplitude, from linearly interpolated pitch [B, n] -> [B, n * hop].
        The sum of cosines is closed: sin((H + 1/2) t) / (2 sin(t / 2)) - 1/2."""
        left, here, right = left[..., None], here[..., None], right[..., None]
        ramp = self._windows.ramp
        pitch = np.where(ramp < 0, here * (1 + ramp) - left * ramp, here * (1 - ramp) + right * ramp).reshape(len(states), -1)
        voiced = pitch > VOICED_HZ
        pitch = np.maximum(pitch, VOICED_HZ)
        cycles = np.array([[state.phase] for state in states]) + np.cumsum(pitch, axis=1, dtype=np.float64) / self._windows.sample_rate_hz
        cycles %= 1.0
        for state, end in zip(states, cycles[:, -1], strict=True):
            state.phase = float(end)
        angle = (2 * np.pi * cycles).astype(np.float32)
        harmonics = np.floor(self._windows.top_hz / pitch) + 0.5
        below = 2 * np.sin(angle / 2)
        limit = np.abs(below) <= 2e-3
        train = np.where(limit, harmonics, np.sin(harmonics * angle) / np.where(limit, 1.0, below)) - 0.5
        return np.where(voiced, train, 0.0).astype(np.float32)

    def _spectra(self, states: list[VocoderState], last: bool) -> np.ndarray:
        """Spectra [B, n, bins] of the frames whose pulses reach half a window beyond their centre."""
        # Frame i is centred at sample i * hop and sees pulses up to frame i + 1.
        one, hop, bins = states[0], self.hop, self._windows.bins
        count = (one.frames if last else max(one.spectra, one.shaped - 1)) - one.spectra
        if count <= 0:
            return np.zeros((len(states), 0, bins), np.complex64)
        windows = np.stack([state.pulses[i * hop : i * hop + self._windows.n_fft] for state in states for i in range(count)])
        source = np.fft.rfft(windows * self._windows.source, axis=1)
        head = self._head(np.concatenate([state.hidden[:count] for state in states]))
        draw = np.concatenate([state.noise.standard_normal((count, 2 * bins), dtype=np.float32) for state in states])
        spectra = source * head.gain + draw.view(np.complex64) * head.noise + head.free
        for state in states:
            state.hidden, state.pulses = state.hidden[count:], state.pulses[count * hop :]
            state.spectra += count
        return spectra.astype(np.complex64).reshape(len(states), count, -1)

    def _overlap_add(self, states: list[VocoderState], spectra: np.ndarray, last: bool) -> np.ndarray:
        """Samples [B, S] of the hops that no later frame can touch; the first half window is before time 0."""
        one, count, hop = states[0], spectra.shape[1], self.hop
        first = one.spectra - count
        frames = np.fft.irfft(spectra, self._windows.n_fft, axis=2).astype(np.float32) * self._windows.window
        hops = np.zeros((len(states), count + BLOCKS, hop), np.float32)
        hops[:, :BLOCKS] += np.stack([state.tail for state in states])
        for block in range(BLOCKS):
            hops[:, block : block + count] += frames[..., block * hop : (block + 1) * hop]
        for state, tail in zip(states, hops[:, count:], strict=True):
            state.tail = tail.copy()
        done = hops if last else hops[:, :count]
        index = np.arange(first, first + done.shape[1])
        out = done / self._windows.summed(index, one.spectra if last else None)
        wanted = (index >= BLOCKS // 2) & (index < one.frames + BLOCKS // 2)
        return out[:, wanted].reshape(len(states), -1)
