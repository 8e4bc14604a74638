"""The idle face: what the avatar shows while it does not speak. It listens, waits or thinks, and comes to rest after it was cut off.

Every value is a function of (seed, state, time) alone: any frame can be asked for on its own, calls join without a seam,
and other rates sample the same motion. numpy only; no model, no memory. Motion is arkit61 (`rig`), float32 [F, 61].

The numbers lie in idle_face.json, which the page reads too: services/web/src/motion/idle.ts makes the same face where no server
does, and tests/contract/golden/idle_face.json holds both to the same values.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from a2llm.affect import Affect
from a2llm.clock import FrameClock
from a2llm.rig import ARKIT61, OCULUS15, Rig

Floats = NDArray[np.float64]
PARAMETERS: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text())
EASE_S: float = PARAMETERS["ease_s"]  # from the pose that was shown before to the idle face's own
BLINK_EVERY_S: float = PARAMETERS["blink"]["every_s"]
_BLINK, _GAZE, _BREATH, _BROWS = (PARAMETERS[name] for name in ("blink", "gaze", "breath", "brows"))


@dataclass(frozen=True)
class Manner:
    """How a state looks. Gaze in radians: it rests within `gaze_near`, and a share `away` of its targets lies elsewhere."""

    brows: float
    tilt: float
    gaze_near: float
    away: float
    away_yaw: float
    away_pitch: float
    gaze_every_s: float
    drift: float


MANNERS = {name: Manner(**values) for name, values in PARAMETERS["manners"].items()}
_AT_REST: dict[str, dict[str, float]] = {  # an affect at full intensity, at rest
    "neutral": {},
    "joy": {"mouthSmile": 0.4, "cheekSquint": 0.2, "eyeSquint": 0.1},
    "sadness": {"browInnerUp": 0.4, "mouthFrown": 0.3},
    "anger": {"browDown": 0.4, "mouthPress": 0.2, "eyeSquint": 0.15},
    "surprise": {"browInnerUp": 0.3, "browOuterUp": 0.3, "eyeWide": 0.25},
}


def idle_face(
    state: str,
    first_frame: int,
    frames: int,
    seed: int,
    rate_hz: float = FrameClock.motion_hz,
    nod_frames: Sequence[int] = (),
    affect: Affect | None = None,
    start: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Frames [F, 61] of `state` (listening, idle, thinking), numbered from the start of the clock at `rate_hz`.

    nod_frames: frames at which a nod begins; hand in those of the last second too. affect: what the face rests in.
    start [61]: the pose shown before the first of these frames, left within EASE_S. Raises ValueError for an unknown state,
    a negative frame or a rate that is not positive.
    """
    if state not in MANNERS:
        raise ValueError(f"unknown state {state!r}: choose one of {', '.join(MANNERS)}")
    if first_frame < 0 or frames < 0 or rate_hz <= 0:
        raise ValueError("frames must not be negative, and the rate must be positive")
    manner, mood = MANNERS[state], affect or Affect()
    at_s = (first_frame + np.arange(frames)) / rate_hz
    motion = np.tile(ARKIT61.pose(_AT_REST[mood.category]) * mood.intensity, (frames, 1)).astype(np.float64)
    motion[:, ARKIT61.group("head")] += _head(at_s, manner, seed, np.asarray(nod_frames, np.float64) / rate_hz)
    _add_brows(motion, at_s, manner, seed)
    _add_eyes(motion, at_s, manner, seed)
    motion[:, ARKIT61.group("blendshapes")] = motion[:, ARKIT61.group("blendshapes")].clip(0, 1)
    if start is not None:
        motion = _eased(motion, np.asarray(start, np.float64), rate_hz)
    return motion.astype(np.float32)


def return_to_neutral(start: NDArray[np.floating], frames: int = 10, rig: Rig = ARKIT61) -> NDArray[np.float32]:
    """Frames [F, C] that lead the pose `start` [C] to rest; the last one rests. The mouth is closed after half of them.

    200 to 300 ms look natural. Raises ValueError for a pose of another width or no frames.
    """
    if start.shape != (rig.size,) or frames < 1:
        raise ValueError(f"a pose of {rig.name} has {rig.size} values, not {start.shape}; and at least one frame is needed")
    rest = np.zeros(rig.size)
    if rig is OCULUS15:
        rest[rig.index("sil")] = 1.0
    pace = np.ones(rig.size)
    pace[_mouth(rig)] = 2.0
    done = (1 + np.arange(frames))[:, None] / frames * pace
    return (rest + (start - rest) * (1 - _smooth(done))).astype(np.float32)


def _mouth(rig: Rig) -> NDArray[np.int64]:
    """Places that a mouth consists of; visemes are nothing else."""
    groups = [rig.groups[name] for name in ("mouth", "jaw", "expression") if name in rig.groups]
    return np.unique(np.concatenate(groups)) if groups else np.arange(rig.size)


def _head(at_s: Floats, manner: Manner, seed: int, nods_s: Floats) -> Floats:
    """Yaw, pitch, roll [F, 3]: slow drift, breath, and nods."""
    breath = _BREATH["rad"] * np.sin(2 * np.pi * (at_s / _BREATH["period_s"] + _uniform(seed, 10, np.zeros(1, np.int64))))
    yaw, pitch, roll = (manner.drift * _drift(at_s, axis, seed) for axis in ("yaw", "pitch", "roll"))
    nods = sum((_nod(at_s - nod) for nod in nods_s), np.zeros(len(at_s)))
    return np.stack([yaw, pitch + breath + nods, roll + manner.tilt], axis=1)


def _drift(at_s: Floats, axis: str, seed: int) -> Floats:
    waves = PARAMETERS["wander"][axis]
    return sum((wave["rad"] * _wander(at_s, wave["period_s"], seed, wave["stream"]) for wave in waves), np.zeros(len(at_s)))


def _nod(since_s: Floats) -> Floats:
    """A listener's nod is double: 0.75 s."""
    return 0.075 * _bump(since_s / 0.42) + 0.04 * _bump((since_s - 0.38) / 0.37)


def _add_brows(motion: Floats, at_s: Floats, manner: Manner, seed: int) -> None:
    lift = manner.brows * (1 + _BROWS["swing"] * _wander(at_s, _BROWS["period_s"], seed, 20))
    motion[:, ARKIT61.index("browInnerUp")] += lift
    motion[:, ARKIT61.indices("browOuterUpLeft", "browOuterUpRight")] += _BROWS["outer"] * lift[:, None]


def _add_eyes(motion: Floats, at_s: Floats, manner: Manner, seed: int) -> None:
    head = motion[:, ARKIT61.group("head")]
    yaw, pitch = (_gaze(at_s, manner, seed, axis) - _GAZE["eyes_hold"] * head[:, axis] for axis in (0, 1))
    motion[:, ARKIT61.indices("leftEyeYaw", "rightEyeYaw")] = yaw[:, None]
    motion[:, ARKIT61.indices("leftEyePitch", "rightEyePitch")] = pitch[:, None]
    for angle, towards, back in (
        (yaw, ("OutLeft", "InRight"), ("InLeft", "OutRight")),
        (pitch, ("DownLeft", "DownRight"), ("UpLeft", "UpRight")),
    ):
        for sign, ends in ((1, towards), (-1, back)):
            motion[:, ARKIT61.indices(*(f"eyeLook{end}" for end in ends))] = (sign * angle / _GAZE["one_rad"])[:, None]
    shut = _lids(at_s, seed)[:, None]
    open_lids = ARKIT61.indices("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight")
    motion[:, open_lids] *= 1 - 0.8 * shut
    motion[:, ARKIT61.indices("eyeBlinkLeft", "eyeBlinkRight")] = shut


def _gaze(at_s: Floats, manner: Manner, seed: int, axis: int) -> Floats:
    """Yaw (axis 0) or pitch (1) of the gaze [F]: it rests, and jumps to the next target once in each period."""
    slot = np.floor(at_s / manner.gaze_every_s).astype(np.int64)
    jump_s = (slot + 0.1 + 0.7 * _uniform(seed, 30, slot)) * manner.gaze_every_s
    moved = _smooth((at_s - jump_s) / _GAZE["saccade_s"])
    return _target(slot - 1, manner, seed, axis) * (1 - moved) + _target(slot, manner, seed, axis) * moved


def _target(slot: NDArray[np.int64], manner: Manner, seed: int, axis: int) -> Floats:
    draw = 2 * _uniform(seed, 31 + axis, slot) - 1
    reach = manner.away_pitch if axis else manner.away_yaw
    far = reach * (0.75 + 0.25 * draw) if axis else reach * np.sign(draw) * (0.6 + 0.4 * np.abs(draw))
    return np.where(_uniform(seed, 33, slot) < manner.away, far, manner.gaze_near * draw)


def _lids(at_s: Floats, seed: int) -> Floats:
    """Lid closure [F]: one blink in each period, at any time of it; one in ten comes twice."""
    slot = np.floor(at_s / BLINK_EVERY_S).astype(np.int64)
    shut = np.zeros(len(at_s))
    for each in (slot - 1, slot):
        blink_s = (each + 0.05 + 0.9 * _uniform(seed, 40, each)) * BLINK_EVERY_S
        again_s = blink_s + _BLINK["again_s"]
        twice = _uniform(seed, 41, each) < _BLINK["twice"]
        shut = np.maximum(shut, np.maximum(_blink(at_s - blink_s), twice * _blink(at_s - again_s)))
    return shut


def _blink(since_s: Floats) -> Floats:
    return _smooth(since_s / _BLINK["close_s"]) * (1 - _smooth((since_s - _BLINK["close_s"]) / _BLINK["open_s"]))


def _eased(motion: Floats, start: Floats, rate_hz: float) -> Floats:
    """Begin at `start` [C] and forget the difference within EASE_S."""
    if start.shape != motion.shape[1:]:
        raise ValueError(f"the pose to start from must be [{ARKIT61.size}], not {list(start.shape)}")
    left = 1 - _smooth((1 + np.arange(len(motion))) / (EASE_S * rate_hz))
    return motion + (start - motion[:1]) * left[:, None]


def _smooth(x: Floats) -> Floats:
    """0 up to x = 0, 1 from x = 1 on, without a corner."""
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(x, 0, 1))


def _bump(x: Floats) -> Floats:
    """0 outside 0..1, 1 in the middle."""
    return np.sin(np.pi * np.clip(x, 0, 1)) ** 2


def _wander(at_s: Floats, period_s: float, seed: int, stream: int) -> Floats:
    """Smooth noise in -1..1 [F] that turns about once in each period."""
    place = at_s / period_s
    knot = np.floor(place).astype(np.int64)
    before, after = (2 * _uniform(seed, stream, k) - 1 for k in (knot, knot + 1))
    return before + (after - before) * _smooth(place - knot)


def _uniform(seed: int, stream: int, index: NDArray[np.int64]) -> Floats:
    """A number in 0..1 for every index, the same whenever it is asked for (splitmix64; Steele, Lea and Flood 2014)."""
    x = index.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + stream * 0xD1B54A32D192ED03) % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(factor)
        x ^= x >> np.uint64(shift)
    x ^= x >> np.uint64(31)
    return (x >> np.uint64(11)).astype(np.float64) / 2**53
