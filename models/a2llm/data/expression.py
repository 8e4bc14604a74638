"""Everything in a face that is not speech articulation: affect, brows, head, blinks, gaze.

Each function gives one track and knows nothing of the others; `motion_teacher` adds them up. Random draws come from
the generator passed in, so a seed fixes the face. Slow signals are smooth random paths, never white noise.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.affect import Affect
from a2llm.clock import FrameClock
from a2llm.rig import ARKIT61

MOTION_HZ = FrameClock.motion_hz  # of the data that a checkpoint learns from
GAZE_RANGE_RAD = 0.45  # an eyeLook blendshape at 1.0 turns the eye by about 26 degrees on the default head
ATTACK_FRAMES, RELEASE_FRAMES, RELEASE_LEVEL = 12, 16, 0.3
BLINK = np.array([0.45, 1.0, 0.82, 0.5, 0.22, 0.06], np.float32)  # 150 ms: closes in 50, opens in 100
CURVE = 0.65  # a face shows weak feelings more than in proportion
REFRACTORY_FRAMES = 32  # 0.8 s


@dataclass(frozen=True)
class AffectStyle:
    """How one affect at full intensity looks and moves. Angles in radians."""

    pose: dict[str, float]
    rest_pose: dict[str, float]  # added only where the mouth is not speaking
    head_pitch: float = 0.0
    gaze_pitch: float = 0.0
    tempo: float = 1.0  # of head motion
    energy: float = 1.0  # of mouth, nods and brow accents
    blinks_per_min: float = 18.0


STYLES = {
    "neutral": AffectStyle({}, {}),
    "joy": AffectStyle(
        {"mouthSmile": 1.0, "cheekSquint": 0.9, "eyeSquint": 0.4, "browOuterUp": 0.2, "browInnerUp": 0.1, "mouthDimple": 0.15},
        {"mouthSmile": 0.15},
        *(-0.03, 0.0, 1.15, 1.1, 19.0),
    ),
    "sadness": AffectStyle(
        {"browInnerUp": 1.1, "browDown": 0.2, "eyeBlink": 0.28, "mouthFrown": 0.85, "mouthShrugLower": 0.08},
        {"mouthShrugLower": 0.15},
        *(0.09, 0.13, 0.55, 0.78, 14.0),
    ),
    "anger": AffectStyle(
        {"browDown": 1.3, "eyeSquint": 0.6, "noseSneer": 0.75, "mouthStretch": 0.1, "mouthFrown": 0.45, "jawForward": 0.15},
        {"mouthPress": 0.35, "mouthRollLower": 0.1},
        *(0.04, 0.0, 1.1, 1.18, 13.0),
    ),
    "surprise": AffectStyle(
        {"eyeWide": 1.1, "browInnerUp": 0.9, "browOuterUp": 1.1, "mouthUpperUp": 0.04},
        {"jawOpen": 0.08},
        *(-0.04, 0.0, 1.05, 1.12, 13.0),
    ),
}


def wander(frames: int, period_s: float, rng: np.random.Generator) -> np.ndarray:
    """Smooth random path [F], about unit size, with a new random goal every `period_s`."""
    step = period_s * MOTION_HZ
    goals = rng.normal(size=int(frames / step) + 3)
    at = np.arange(frames) / step + rng.random()
    knot, share = at.astype(int), at % 1.0
    share = share * share * (3 - 2 * share)
    return (goals[knot] * (1 - share) + goals[knot + 1] * share).astype(np.float32)


def smooth(track: np.ndarray, sigma_frames: float) -> np.ndarray:
    """Gaussian smoothing of [F] with the ends held."""
    reach = int(3 * sigma_frames) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma_frames) ** 2)
    return np.convolve(np.pad(track, reach, mode="edge"), kernel / kernel.sum(), mode="valid").astype(np.float32)


def bumps(frames: int, centres: np.ndarray, sizes: np.ndarray, width_frames: int) -> np.ndarray:
    """Sum of raised-cosine bumps [F] at `centres` [n] with peaks `sizes` [n]."""
    out = np.zeros(frames + 2 * width_frames, np.float32)
    shape = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(width_frames) + 0.5) / width_frames)
    for centre, size in zip(centres, sizes, strict=True):
        start = int(centre) - width_frames // 2 + width_frames
        out[start : start + width_frames] += (size * shape)[: max(len(out) - start, 0)]
    return out[width_frames : width_frames + frames]


def edge_ramp(frames: int, rise: int, fall: int, last: float = 0.0) -> np.ndarray:
    """Envelope [F]: 0 -> 1 in `rise` frames, 1, then down to `last` in the final `fall` frames, smooth."""
    now = np.arange(frames) + 0.5
    up, down = np.clip(now / rise, 0, 1), np.clip((frames - now) / fall, 0, 1)
    ease = [x * x * (3 - 2 * x) for x in (up, down)]
    return (ease[0] * (last + (1 - last) * ease[1])).astype(np.float32)


def affect_envelope(affect: Affect, frames: int, rng: np.random.Generator) -> np.ndarray:
    """Strength of the affect over time [F]: 300 ms attack, slow variation, release. Surprise fades after its onset."""
    level = affect.intensity**CURVE if affect.index else 0.0
    hold = 1 + 0.1 * wander(frames, 1.6, rng)
    if affect.category == "surprise":
        hold *= 0.8 + 0.2 * np.exp(-np.arange(frames) / (1.5 * MOTION_HZ))
    return (level * hold * edge_ramp(frames, ATTACK_FRAMES, RELEASE_FRAMES, RELEASE_LEVEL)).astype(np.float32)


def blink_track(frames: int, rate_per_min: float, urge: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lid closure [F] from a Poisson process with a refractory time; `urge` [F] >= 1 makes a blink likelier there.

    The hazard is raised so that the mean rate holds in spite of the refractory time.
    """
    mean = MOTION_HZ * 60 / rate_per_min  # frames between blinks
    hazard = urge / urge.mean() / max(mean - REFRACTORY_FRAMES, 1)
    out, ready = np.zeros(frames + len(BLINK), np.float32), 4
    for frame in np.flatnonzero(rng.random(frames) < hazard):
        if frame >= ready:
            out[frame : frame + len(BLINK)] = BLINK * rng.uniform(0.93, 1.0)
            ready = frame + REFRACTORY_FRAMES
    return out[:frames]


def gaze_track(frames: int, style: AffectStyle, level: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Gaze against the listener: (yaw [F], pitch [F]) in radians, made of fixations, small saccades and aversions."""
    yaw, pitch = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
    low = style.gaze_pitch * level
    at, away = 0, False
    while at < frames:
        away = not away and rng.random() < 0.2 + low
        spread = (0.16, 0.07) if away else (0.02, 0.014)
        dwell = rng.gamma(4, 0.2 if away else 0.3) / style.tempo**0.5
        end = at + max(int(dwell * MOTION_HZ), 6)
        yaw[at:end] = rng.normal(0, spread[0])
        pitch[at:end] = rng.normal(low * (1.3 if away else 0.8), spread[1])
        at = end
    kernel = np.array([0.25, 0.5, 0.25])  # a saccade takes 50-75 ms
    soft = [np.convolve(np.pad(x, 1, mode="edge"), kernel, mode="valid") for x in (yaw, pitch)]
    return np.clip(soft[0], -0.4, 0.4).astype(np.float32), np.clip(soft[1], -0.25, 0.35).astype(np.float32)


def set_eyes(motion: np.ndarray, yaw: np.ndarray, pitch: np.ndarray) -> None:
    """Write gaze angles [F] into the eye rotations and, consistently, the eyeLook blendshapes of motion [F, 61]."""
    for side in ("left", "right"):
        motion[:, ARKIT61.index(f"{side}EyeYaw")] = yaw
        motion[:, ARKIT61.index(f"{side}EyePitch")] = pitch
    share_yaw, share_pitch = yaw / GAZE_RANGE_RAD, pitch / GAZE_RANGE_RAD
    for name, share in (
        ("eyeLookOutLeft", share_yaw),
        ("eyeLookInRight", share_yaw),
        ("eyeLookInLeft", -share_yaw),
        ("eyeLookOutRight", -share_yaw),
        *((f"eyeLookDown{side}", share_pitch) for side in ("Left", "Right")),
        *((f"eyeLookUp{side}", -share_pitch) for side in ("Left", "Right")),
    ):
        motion[:, ARKIT61.index(name)] = np.clip(share, 0, 1)
