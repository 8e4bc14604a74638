"""Changes the rate of sound, as a stream or at once: a windowed sinc, evaluated only where a sample is wanted (polyphase).

For streams it has no rival among libraries: what it gives out is late by its filter's half alone (HALF_WIDTH periods of the lower
rate: 0.5 ms at 16 kHz), where soxr 1.1 keeps back 10 ms (variable rate) to 38 ms (HQ) from 24 to 16 kHz, since it works in
blocks. Files are decoded and brought to a rate by FFmpeg (`sound_files`). Needs numpy alone: the gateway uses it too.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]
HALF_WIDTH = 8  # periods of the lower rate on either side: enough for telephone speech and voice activity
FINE_HALF_WIDTH = 16  # for the ear and for what is listened to: 1 ms at 16 kHz, as FFmpeg's resampler
CUTOFF = 0.9  # of the lower rate's Nyquist frequency
BLOCK = 1 << 15  # samples that are made in one go, so that a long clip needs little memory


class Resampler:
    """One stream of sound, float32 [S] in blocks of any size: the output does not depend on the blocks.

    As many samples leave as come in (times to_hz / from_hz), late by the filter's half. `aligned`: sample n lies at n / to_hz
    instead, and what the filter's half still holds leaves with `last`.
    """

    def __init__(self, from_hz: int, to_hz: int, half_width: int = HALF_WIDTH, *, aligned: bool = False) -> None:
        if min(from_hz, to_hz) <= 0:
            raise ValueError(f"rates must be positive, not {from_hz} and {to_hz} Hz")
        shared = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // shared, from_hz // shared
        self._phases = _phases(self._up, self._down, half_width) if from_hz != to_hz else np.ones((1, 1), np.float32)
        reach = half_width * max(self._up, self._down) if from_hz != to_hz else 0  # the filter's half, at the common rate
        self._ahead = reach if aligned else 0
        width = self._phases.shape[1]
        self._held = np.zeros(width - 1, np.float32)  # input that later samples still need
        self._held_first = 1 - width  # its place in the stream
        self._made = 0

    def push(self, signal: Signal, last: bool = False) -> Signal:
        """[S] in -> about S * to_hz / from_hz out; with `last`, all that is left."""
        self._held = np.concatenate([self._held, signal.astype(np.float32, copy=False)])
        have = self._held_first + len(self._held)
        stop = -(-have * self._up // self._down) if last else max(self._made, -((self._ahead - have * self._up) // self._down))
        if last:
            self._held = np.concatenate([self._held, np.zeros(-(-self._ahead // self._up) + 1, np.float32)])
        blocks = [self._block(start, min(start + BLOCK, stop)) for start in range(self._made, stop, BLOCK)]
        self._made = stop
        self._forget()
        return np.concatenate(blocks) if blocks else self._held[:0]

    def _block(self, start: int, stop: int) -> Signal:
        """Samples start..stop-1 [n]: one product for all that have the same phase of the filter, which come every `up`."""
        out = np.empty(stop - start, np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(self._held, self._phases.shape[1])  # window i ends at input i + W - 1
        for offset in range(min(self._up, len(out))):
            newest, phase = divmod((start + offset) * self._down + self._ahead, self._up)
            wanted = out[offset :: self._up]
            first = newest - self._held_first - self._phases.shape[1] + 1
            wanted[:] = windows[first :: self._down][: len(wanted)] @ self._phases[phase]
        return out

    def _forget(self) -> None:
        oldest = (self._made * self._down + self._ahead) // self._up - self._phases.shape[1] + 1
        unused = min(oldest - self._held_first, len(self._held))
        self._held, self._held_first = self._held[unused:], self._held_first + unused


def resample(pcm: NDArray[np.floating], from_hz: int, to_hz: int) -> Signal:
    """A whole clip of mono sound, float32 [S] -> float32 [S * to_hz / from_hz, rounded up], in time with the original."""
    return Resampler(from_hz, to_hz, FINE_HALF_WIDTH, aligned=True).push(np.asarray(pcm, np.float32), last=True)


@lru_cache(maxsize=16)
def _phases(up: int, down: int, half_width: int) -> Signal:
    """The filter by phases [up, W]: row p weighs the last W inputs, oldest first, of a sample p steps of the common rate behind one."""
    wider = max(up, down)
    offsets = np.arange(-half_width * wider, half_width * wider + 1)
    taps = np.sinc(offsets * CUTOFF / wider) * np.blackman(len(offsets))
    width = -(-len(taps) // up)
    padded = np.pad(taps / taps.sum() * up, (0, width * up - len(taps)))
    return np.ascontiguousarray(padded.reshape(width, up).T[:, ::-1], np.float32)
