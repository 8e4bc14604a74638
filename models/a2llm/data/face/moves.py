"""Moves: the strokes that forms are made of, and their course over time.

A move has a channel (CHANNELS: a pose, a head rotation or the gaze), a shape, and a place in its phrase. `draw` turns it into a
track at 40 Hz. It knows no functions and no affects.
"""

from dataclasses import dataclass, replace

import numpy as np

from a2llm.data.expression import MOTION_HZ
from a2llm.rig import ARKIT61

# Channel -> the pose at size 1. Head channels are radians, gaze channels radians of the eyes in space.
CHANNELS: dict[str, dict[str, float]] = {
    "pitch": {"headPitch": 1.0},
    "yaw": {"headYaw": 1.0},
    "roll": {"headRoll": 1.0},
    "brows": {"browInnerUp": 0.85, "browOuterUp": 1.0},
    "inner": {"browInnerUp": 1.0, "browDown": 0.15},
    "frown": {"browDown": 1.0},
    "one_brow": {"browOuterUpRight": 1.0, "browInnerUp": 0.25, "browDownLeft": 0.45},
    "wide": {"eyeWide": 1.0},
    "squint": {"eyeSquint": 1.0, "cheekSquint": 0.3},
    "lids": {"eyeBlink": 1.0},
    "smile": {"mouthSmile": 1.0, "cheekSquint": 0.7, "eyeSquint": 0.3, "mouthDimple": 0.15},
    "half_smile": {"mouthSmileLeft": 1.0, "mouthDimpleLeft": 0.5, "cheekSquintLeft": 0.5, "eyeSquintLeft": 0.3},
    "press": {"mouthPress": 1.0, "mouthRollLower": 0.3, "mouthDimple": 0.35},
    "shrug": {"mouthShrugLower": 0.8, "mouthFrown": 0.9, "mouthPress": 0.2},
    "sneer": {"noseSneer": 1.0, "mouthUpperUp": 0.15},
    "puff": {"cheekPuff": 0.8, "mouthFunnel": 0.45, "mouthPucker": 0.25},
    "jaw": {"jawOpen": 1.0},
}
POSES = {name: ARKIT61.pose(pose) for name, pose in CHANNELS.items()}
GAZE = ("gaze_yaw", "gaze_pitch")  # not poses: `gaze` reads them
HEAD: tuple[str, ...] = ("pitch", "yaw", "roll")
LEAD_S = 0.06  # brows and head reach an accent a little before it (Flecha-Garcia 2010: 60 ms; Graf et al. 2002)
RISE_SHARE = 0.42  # of a beat: strokes are faster than their return (Hadar et al. 1983)


@dataclass(frozen=True)
class Move:
    """One stroke. `size` in the channel's unit; `seconds`: length of a beat, of one cycle, or of the way into a hold.

    at: start | stress | end of the phrase; chance: how often a person shows it; lead_s: how long before its place it peaks or begins.
    """

    channel: str
    shape: str  # beat | hold | nods | shakes | sweep | step
    size: float
    seconds: float = 0.5
    at: str = "stress"
    chance: float = 0.8
    count: int = 2
    lead_s: float = LEAD_S


@dataclass(frozen=True)
class Stretch:
    """A phrase in frames: where it begins and ends, its stressed vowels (one at least), and the end of the utterance."""

    start: int
    end: int
    stresses: tuple[int, ...]
    frames: int

    @property
    def stress(self) -> int:
        """The vowel of the point, the last one."""
        return self.stresses[-1]


def ease(x: np.ndarray) -> np.ndarray:
    """0..1 with a soft start and stop (minimum jerk: Flash & Hogan 1985)."""
    x = np.clip(x, 0, 1)
    return x**3 * (10 - 15 * x + 6 * x * x)


def draw(move: Move, where: Stretch) -> np.ndarray:
    """Course of a move over the utterance [frames], in the channel's unit."""
    now = np.arange(where.frames, dtype=np.float64)
    begin = {"start": where.start, "stress": where.stress, "end": where.end}[move.at] - move.lead_s * MOTION_HZ
    return (move.size * _SHAPES[move.shape](move, where, now, begin)).astype(np.float32)


def _beat(move: Move, where: Stretch, now: np.ndarray, peak: float) -> np.ndarray:
    """One stroke with its peak at the place, slower on the way back."""
    rise, fall = RISE_SHARE * move.seconds * MOTION_HZ, (1 - RISE_SHARE) * move.seconds * MOTION_HZ
    peak = max(peak, 0.7 * rise)
    return ease(1 - (peak - now) / rise) * (now <= peak) + ease(1 - (now - peak) / fall) * (now > peak)


def _hold(move: Move, where: Stretch, now: np.ndarray, begin: float) -> np.ndarray:
    """Holds from the place to the phrase's end, then slowly back."""
    rise = move.seconds * MOTION_HZ
    begin = max(begin - 0.5 * rise, 0)
    end = max(where.end - 2, begin + rise + 4)
    return ease((now - begin) / rise) * ease(1 - (now - end) / (0.5 * MOTION_HZ))


def _fitting(move: Move, where: Stretch) -> tuple[float, float]:
    """Frames of a cycle and of the whole, so that a short phrase is not left behind by more than half a second."""
    period = move.seconds * MOTION_HZ
    space = max(where.end - where.start + 0.5 * MOTION_HZ, period)
    return period, min(move.count * period, np.floor(space / period) * period)


def _cycles(move: Move, where: Stretch, now: np.ndarray, begin: float) -> tuple[np.ndarray, np.ndarray]:
    """Phase of cycles from the place on, and their envelope, which dies away (Hadar et al. 1985)."""
    period, length = _fitting(move, where)
    since = now - max(begin, 1.0)
    inside = (since >= 0) & (since <= length)
    fade = 1 - 0.5 * since / max(length, 1)
    return 2 * np.pi * since / period, inside * fade * ease(since / (0.2 * period)) * ease((length - since) / (0.3 * period))


def _nods(move: Move, where: Stretch, now: np.ndarray, begin: float) -> np.ndarray:
    phase, envelope = _cycles(move, where, now, begin)
    return envelope * (0.75 * (0.5 - 0.5 * np.cos(phase)) + 0.35 * np.sin(phase))


def _shakes(move: Move, where: Stretch, now: np.ndarray, begin: float) -> np.ndarray:
    phase, envelope = _cycles(move, where, now, begin)
    return envelope * np.sin(phase)


def _sweep(move: Move, where: Stretch, now: np.ndarray, begin: float) -> np.ndarray:
    """Goes from one side to the other in the course of the phrase."""
    length = max(where.end - where.start, 0.8 * MOTION_HZ)
    begin = max(where.start - 0.35 * MOTION_HZ, 0)
    share = (now - where.start + 0.1 * MOTION_HZ) / length
    window = ease((now - begin) / (0.4 * MOTION_HZ)) * ease((where.start + length + 0.45 * MOTION_HZ - now) / (0.45 * MOTION_HZ))
    return window * (2 * ease(share) - 1)


def _step(move: Move, where: Stretch, now: np.ndarray, begin: float) -> np.ndarray:
    """One side until the stressed word, the other from it on."""
    turn = max(begin, where.start + 0.25 * MOTION_HZ)
    window = ease((now - max(where.start - 10, 0)) / 14) * ease(1 - (now - max(where.end, turn + 14)) / 18)
    return window * (2 * ease((now - turn + 8) / 14) - 1)


_SHAPES = {"beat": _beat, "hold": _hold, "nods": _nods, "shakes": _shakes, "sweep": _sweep, "step": _step}


def chosen(moves: tuple[Move, ...], strength: float, rng: np.random.Generator) -> list[Move]:
    """The moves that this performance shows, sized by `strength` and by chance; the first one where none would be left."""
    rolls = rng.random(len(moves))
    shown = [move for move, roll in zip(moves, rolls, strict=True) if roll < move.chance] or list(moves[:1])
    together = strength * float(rng.lognormal(0, 0.15))
    return [
        replace(move, size=move.size * together * float(rng.lognormal(0, 0.15)), seconds=move.seconds * float(rng.lognormal(0, 0.08)))
        for move in shown
    ]
