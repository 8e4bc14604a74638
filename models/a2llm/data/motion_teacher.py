"""The motion teacher: a documented, rule-made face for speech whose phones, times and prosody are known.

It labels the synthetic data; it is no model and runs in no service. Rules, in the order they are applied:
mouth from coarticulated visemes, opened by loudness and stress (articulation); affect as an upper-face pattern and a
mouth tint with attack and release; brows and head from f0, stressed vowels and slow drift; gaze that keeps to the
listener while the head moves; blinks; and last the lip closures of p, b and m, which overrule everything.
Each utterance starts and ends near rest, so that utterances can be joined.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.affect import Affect
from a2llm.data.articulation import Span, blend, close_lips, closure_weights, is_silence, phone_spans, split_silent_tails
from a2llm.data.expression import (
    MOTION_HZ,
    STYLES,
    AffectStyle,
    affect_envelope,
    blink_track,
    bumps,
    edge_ramp,
    gaze_track,
    set_eyes,
    smooth,
    wander,
)
from a2llm.data.visemes import STRESS, VOWELS
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

DEFAULT_HEAD = "woman"
LOUD_RANGE_DB = 30.0
MIN_F0_HZ = 50.0  # below it a frame counts as unvoiced
_OPENING = ARKIT61.indices(
    *("jawOpen", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    *("mouthStretchLeft", "mouthStretchRight"),
)
_YAW, _PITCH, _ROLL = ARKIT61.group("head")
_BLINKS = ARKIT61.indices("eyeBlinkLeft", "eyeBlinkRight")


@dataclass(frozen=True)
class Prosody:
    """The voice per motion frame: pitch in semitones over the median [F], loudness 0..1 [F], speaking 0..1 [F]."""

    semitones: np.ndarray
    loudness: np.ndarray
    speaking: np.ndarray


def _semitones(f0_hz: np.ndarray) -> np.ndarray:
    """f0 [F] (0 where unvoiced) -> smooth semitones over its median [F]; flat when nothing is voiced."""
    voiced = np.flatnonzero(f0_hz > MIN_F0_HZ)
    if len(voiced) < 3:
        return np.zeros(len(f0_hz), np.float32)
    semis = 12 * np.log2(f0_hz[voiced] / np.median(f0_hz[voiced]))
    return smooth(np.interp(np.arange(len(f0_hz)), voiced, np.clip(semis, -9, 9)), 3.0)


def _per_frame(track: np.ndarray) -> np.ndarray:
    return track.reshape(-1, 2)


def _loudness(energy_db: np.ndarray) -> np.ndarray:
    """Energy [2F] in dB -> 0..1 per frame [F], against the utterance's loud end."""
    db = _per_frame(energy_db).mean(1)
    return np.clip((db - np.percentile(db, 95) + LOUD_RANGE_DB) / LOUD_RANGE_DB, 0, 1)


def _read_prosody(spans: list[Span], f0_hz: np.ndarray, loudness: np.ndarray) -> Prosody:
    pairs = _per_frame(f0_hz)
    f0 = np.where((pairs > MIN_F0_HZ).all(1), pairs.mean(1), pairs.max(1))
    speaking = np.ones(len(loudness), np.float32)
    for span in spans:
        if is_silence(span):
            speaking[span.start : span.end] = 0
    return Prosody(_semitones(f0), smooth(loudness, 1.0), smooth(speaking, 2.0))


def _accents(spans: list[Span], prosody: Prosody, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Stressed vowels that the face marks: frames [n] and strengths [n] in 0..1.3, from pitch, loudness and chance."""
    frames = [s.start for s in spans if s.phone in VOWELS and s.scale >= STRESS["ˈ"] and s.start < len(prosody.loudness)]
    centres = np.array(frames, int)
    strength = 0.35 + 0.09 * prosody.semitones[centres] + 0.35 * prosody.loudness[centres]
    strength = np.clip(strength, 0, 1) * rng.uniform(0.6, 1.3, len(centres))
    return centres, strength.astype(np.float32)


def _add_affect(motion: np.ndarray, style: AffectStyle, level: np.ndarray, speaking: np.ndarray) -> None:
    """Add the affect's pose at `level` [F]; its resting share only where the mouth is still."""
    motion += level[:, None] * ARKIT61.pose(style.pose)
    motion += (level * (1 - speaking))[:, None] * ARKIT61.pose(style.rest_pose)


def _add_brows(motion: np.ndarray, accents: np.ndarray, semitones: np.ndarray, rng: np.random.Generator) -> None:
    """Brows from accents [F] and high pitch [F], with a little drift and asymmetry."""
    frames = len(motion)
    lift = 0.3 * accents + 0.04 * np.clip(semitones, 0, 6) + 0.03 * np.clip(wander(frames, 1.1, rng), 0, 3)
    motion[:, ARKIT61.index("browInnerUp")] += 0.8 * lift
    lean = 0.15 * wander(frames, 2.5, rng)
    for side, share in (("Left", 1 + lean), ("Right", 1 - lean)):
        motion[:, ARKIT61.index(f"browOuterUp{side}")] += lift * share
    squeeze = 0.04 * np.clip(wander(frames, 1.7, rng), 0, 3)
    motion[:, ARKIT61.indices("eyeSquintLeft", "eyeSquintRight")] += squeeze[:, None]


def _add_head(
    motion: np.ndarray, nods: np.ndarray, semitones: np.ndarray, level: np.ndarray, style: AffectStyle, rng: np.random.Generator
) -> None:
    """Head rotations: drift, phrase turns, nods [F] (down), pitch rises (up), affect's posture, breathing."""
    frames = len(motion)
    calm = edge_ramp(frames, 16, 20)
    slow = 1.3 / style.tempo
    breath = 0.004 * np.sin(2 * np.pi * (np.arange(frames) / (3.6 * MOTION_HZ) + rng.random()))
    size = 0.5 + 0.5 * style.tempo
    motion[:, _YAW] = calm * size * (0.045 * wander(frames, slow, rng) + 0.015 * wander(frames, slow / 3, rng))
    pitch = 0.02 * wander(frames, slow, rng) + 0.055 * nods - 0.006 * semitones + breath
    motion[:, _PITCH] = calm * size * pitch + style.head_pitch * level
    motion[:, _ROLL] = calm * size * (0.028 * wander(frames, 1.4 * slow, rng) + 0.008 * wander(frames, slow / 2, rng))


def _add_eyes(motion: np.ndarray, style: AffectStyle, level: np.ndarray, urge: np.ndarray, rng: np.random.Generator) -> None:
    """Gaze that holds the listener against the head's own turn, then blinks over whatever the lids do."""
    yaw, pitch = gaze_track(len(motion), style, float(level.max(initial=0)), rng)
    set_eyes(motion, yaw - 0.8 * motion[:, _YAW], pitch - 0.8 * motion[:, _PITCH])
    jump = np.abs(np.diff(yaw, prepend=yaw[:1]))
    blink = blink_track(len(motion), style.blinks_per_min, urge + 25 * jump, rng)
    motion[:, _BLINKS] = np.maximum(motion[:, _BLINKS], blink[:, None])
    wide = ARKIT61.indices("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight")
    motion[:, wide] *= 1 - 0.8 * blink[:, None]


def _finish(motion: np.ndarray) -> np.ndarray:
    shapes = ARKIT61.group("blendshapes")
    motion[:, shapes] = np.clip(motion[:, shapes], 0, 1)
    return motion.astype(np.float32)


def _check(phones: str, durations_units: np.ndarray, tracks: tuple[np.ndarray, ...]) -> int:
    frames = int(np.sum(durations_units))
    if frames < 1 or np.min(durations_units) < 0:
        raise ValueError("durations must be non-negative and sum to at least one unit")
    for track in tracks:
        if track.shape != (2 * frames,):
            raise ValueError(f"prosody tracks must have {2 * frames} values (80 Hz), not {track.shape}")
    return frames


def teach_motion(
    phones: str, durations_units: np.ndarray, f0_hz: np.ndarray, energy_db: np.ndarray, affect: Affect, seed: int
) -> np.ndarray:
    """Face motion for one utterance, float32 [F, 61] at 40 Hz with F = sum(durations_units).

    phones: misaki characters; durations_units [P]: 25 ms units, one per character, 0 allowed; f0_hz [2F] (below 50 where
    unvoiced) and energy_db [2F] at 80 Hz. The same arguments give the same bytes. Raises ValueError for lengths that
    do not agree or a character without a mouth shape.
    """
    frames = _check(phones, durations_units, (f0_hz, energy_db))
    rng = np.random.default_rng([seed, 61])
    style, head = STYLES[affect.category], HeadGeometry.load(DEFAULT_HEAD)
    loudness = _loudness(np.asarray(energy_db))
    spans = split_silent_tails(phone_spans(phones, durations_units), loudness)
    prosody = _read_prosody(spans, np.asarray(f0_hz), loudness)
    level = affect_envelope(affect, frames, rng)
    vigour = 1 + (style.energy - 1) * level  # [F]
    motion = blend(spans, frames)
    motion[:, _OPENING] *= (vigour * rng.uniform(0.94, 1.06) * (0.62 + 0.45 * prosody.loudness))[:, None]
    _add_affect(motion, style, level, prosody.speaking)
    centres, strength = _accents(spans, prosody, rng)
    nods = bumps(frames, centres + 2, strength * (rng.random(len(centres)) < 0.65), 14)
    raises = bumps(frames, centres, strength * (rng.random(len(centres)) < 0.4), 18)
    _add_brows(motion, vigour * raises, prosody.semitones, rng)
    _add_head(motion, vigour * nods, prosody.semitones, level, style, rng)
    _add_eyes(motion, style, level, 1 + 2 * (1 - prosody.speaking), rng)
    motion = close_lips(_finish(motion), closure_weights(spans, frames), head)
    return _finish(motion)


def idle_motion(frames: int, affect: Affect, seed: int) -> np.ndarray:
    """A face that listens, float32 [F, 61] at 40 Hz: drift, blinks, gaze, breathing and now and then a nod. Raises ValueError without
    frames."""
    if frames < 1:
        raise ValueError("idle motion needs at least one frame")
    rng = np.random.default_rng([seed, 62])
    style = STYLES[affect.category]
    level, still = affect_envelope(affect, frames, rng), np.zeros(frames, np.float32)
    motion = np.zeros((frames, ARKIT61.size), np.float32)
    _add_affect(motion, style, level, still)
    nods = np.flatnonzero(rng.random(frames) < 1 / (7 * MOTION_HZ))
    nods = np.concatenate([nods, nods + 14])  # a listener's nod is double
    _add_brows(motion, still, still, rng)
    _add_head(motion, bumps(frames, nods[nods < frames], np.full((nods < frames).sum(), 0.8), 16), still, level, style, rng)
    _add_eyes(motion, style, level, np.ones(frames, np.float32), rng)
    motion[:, ARKIT61.index("jawOpen")] += 0.004 * (1 + wander(frames, 2.0, rng))
    return _finish(motion)
