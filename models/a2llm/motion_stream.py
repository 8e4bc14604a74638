"""Motion on its way out: from the model's rate and rig to the client's. Linear in time, exact in numbering.

Frame n of any rate lies at n / rate seconds since the response began, so that a change of rate moves nothing in time.
"""

import numpy as np
from numpy.typing import NDArray

from a2llm.clock import MOTION_RATES_HZ
from a2llm.messages import RigUnavailable
from a2llm.rig import FLAME58, RIGS, FlameMapping, get_rig, retarget

Floats = NDArray[np.float32]


def interpolate(source: Floats, source_first: int, source_hz: int, numbers: NDArray[np.int64], hz: int) -> Floats:
    """Frames [n, C] of the given numbers at `hz`, from source frames [F, C] of which the first has number source_first.

    Beyond the last source frame its pose is held.
    """
    ticks = numbers * source_hz
    before = ticks // hz - source_first
    share = (ticks % hz / hz).astype(np.float32)[:, None]
    last = len(source) - 1
    left, right = source[np.minimum(before, last)], source[np.minimum(before + 1, last)]
    return (left + (right - left) * share).astype(np.float32)


class MotionStream:
    """One response's motion. feed() takes every frame of the model in order and gives those that are settled.

    A response that goes on here was fed with `delivered` frames of the model elsewhere: what they settled is not given again, and
    the first frame that is fed is number `delivered - known_before(...)`.
    """

    def __init__(self, rig: str, hz: int, source_hz: int, flame: FlameMapping | None = None, delivered: int = 0) -> None:
        check_target(rig, hz, flame, source_hz)
        self.rig, self.hz = rig, hz
        self._source_hz, self._flame = source_hz, flame
        self._held = np.zeros((0, get_rig(rig).size), np.float32)  # source frames, in the target rig, that may still be needed
        self._held_first = delivered
        self._next = self._stop(False) if delivered else 0
        self._held_first -= known_before(hz, source_hz, delivered)

    def feed(self, frames: Floats, last: bool = False) -> tuple[int, Floats]:
        """Model frames arkit61 [F, 61] -> number of the first frame given out, and the frames [n, C]."""
        if len(frames):
            self._held = np.concatenate([self._held, retarget(frames, self.rig, self._flame)])
        first, stop = self._next, self._stop(last)
        if stop <= first:
            return first, self._held[:0]
        out = interpolate(self._held, self._held_first, self._source_hz, np.arange(first, stop), self.hz)
        self._next = stop
        self._forget()
        return first, out

    def _stop(self, last: bool) -> int:
        """One past the last frame that can be made: all its neighbours are there, or nothing more will come."""
        have = self._held_first + len(self._held)
        if last:
            return -(-have * self.hz // self._source_hz)
        return (have - 1) * self.hz // self._source_hz + 1

    def _forget(self) -> None:
        unused = min(self._next * self._source_hz // self.hz - self._held_first, len(self._held) - 1)
        self._held, self._held_first = self._held[unused:], self._held_first + unused


def known_before(hz: int, source_hz: int, delivered: int) -> int:
    """How many of the delivered frames of the model the next one at `hz` may need: those that lie between two of them need both."""
    return min(1, delivered) if hz != source_hz else 0


def check_target(rig: str, hz: int, flame: FlameMapping | None, source_hz: int) -> None:
    """Raises ValueError for an unknown rig or a rate that motion is not made at, RigUnavailable for flame58 without a mapping."""
    if rig == FLAME58.name and flame is None:
        raise RigUnavailable(f"rig {rig} needs a mapping, and none is loaded here")
    get_rig(rig)
    known = sorted({*MOTION_RATES_HZ, source_hz})
    if hz not in known:
        raise ValueError(f"motion_hz must be one of {', '.join(map(str, known))}, not {hz}")


def rigs(flame: FlameMapping | None) -> list[str]:
    """Names of the rigs that a client can ask for here."""
    return [name for name in RIGS if flame or name != FLAME58.name]


def to_f16(frames: Floats) -> bytes:
    """[n, C] -> little-endian float16, row by row."""
    return frames.astype("<f2").tobytes()


def from_f16(values: bytes, size: int) -> Floats:
    """One pose [C]. Raises ValueError for another length."""
    if len(values) != 2 * size:
        raise ValueError(f"a pose of this rig is {2 * size} bytes, not {len(values)}")
    return np.frombuffer(values, "<f2").astype(np.float32)
