"""The motion teacher: a documented, rule-made face that performs a score, for speech whose phones, times and prosody are known.

It labels the synthetic data; it is no model and runs in no service. Rules, in the order they are applied:
mouth from coarticulated visemes, opened by loudness and stress (articulation); affect as an upper-face pattern and a
mouth tint that moves from phrase to phrase (face.arcs); the forms of the phrases' functions and the beats of their stressed words
(face.acts, face.forms); brows and head from f0, stressed vowels and slow drift; gaze at the listener and away (face.looks) while the
head moves; blinks; and last the lip closures of p, b and m, which overrule everything.
Each utterance starts and ends near rest, but for the feeling that it ends with, so that utterances can be joined.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.data.articulation import AUDIBLE, WIDTH, Span, blend, close_lips, closure_weights, is_silence, phone_spans, split_silent_tails
from a2llm.data.expression import (
    MOTION_HZ,
    STYLES,
    affect_envelope,
    blink_track,
    bumps,
    edge_ramp,
    gaze_track,
    set_eyes,
    smooth,
    wander,
)
from a2llm.data.face.acts import Tracks, act, add_faces, stretches_of
from a2llm.data.face.arcs import add_affect, affect_levels, blended
from a2llm.data.face.looks import looks, saccadic
from a2llm.data.face.moves import HEAD
from a2llm.data.prosody import Timeline
from a2llm.data.score import Score
from a2llm.data.visemes import STRESS, VOWELS
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

DEFAULT_HEAD = "woman"
LOUD_RANGE_DB = 30.0
MIN_F0_HZ = 50.0  # below it a frame counts as unvoiced
LEAD_FRAMES = 2  # head and brows reach an accent a little before it (Flecha-Garcia 2010; Graf et al. 2002)
MARKED_ELSEWHERE = 0.45  # how much less other stressed vowels are marked where the score marks some
DRIFT = 0.8  # of the head between its moves
VOR = 0.95  # how far the eyes make up for the head's turn
TURN_AVERSION = 0.45  # how often the eyes leave the listener at the beginning of a turn (Kendon 1967)
_JAW = ARKIT61.indices("jawOpen")
_LIPS = ARKIT61.indices("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight")
# Share of a pose that a silent voice leaves, and what full loudness adds: jaw and width fitted with the shapes (`visemes`).
OPENING = ((_JAW, 0.26, 0.99), (WIDTH, 0.19, 1.09), (_LIPS, 0.62, 0.45))
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


def _mouth(spans: list[Span], vigour: np.ndarray, loudness: np.ndarray) -> np.ndarray:
    """The speaking mouth [F, 61]: coarticulated, opened by vigour [F] and loudness [F]."""
    motion = blend(spans, len(loudness))
    for columns, silent, loud in OPENING:
        motion[:, columns] *= (vigour * (silent + loud * loudness))[:, None]
    return motion


def _accents(spans: list[Span], prosody: Prosody, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Stressed vowels that the face marks: frames [n] and strengths [n] in 0..1.3, from pitch, loudness and chance."""
    frames = [s.start for s in spans if s.phone in VOWELS and s.scale >= STRESS["ˈ"] and s.start < len(prosody.loudness)]
    centres = np.array(frames, int)
    strength = 0.35 + 0.09 * prosody.semitones[centres] + 0.35 * prosody.loudness[centres]
    strength = np.clip(strength, 0, 1) * rng.uniform(0.6, 1.3, len(centres))
    return centres, strength.astype(np.float32)


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


def _soft(angle: np.ndarray, most: float) -> np.ndarray:
    """Angles kept within `most`, without a corner."""
    return most * np.tanh(angle / most)


def _add_head(
    motion: np.ndarray, tracks: Tracks, nods: np.ndarray, semitones: np.ndarray, levels: np.ndarray, rng: np.random.Generator
) -> None:
    """Head rotations: drift, moves, nods [F] (down), pitch rises (up), the affects' posture, breathing."""
    frames = len(motion)
    calm, done = edge_ramp(frames, 16, 20), edge_ramp(frames, 4, 20)  # moves have a beginning of their own
    tempo = float(blended(levels, "tempo").mean())
    slow, size = 1.3 / tempo, DRIFT * (0.5 + 0.5 * tempo)
    breath = 0.004 * np.sin(2 * np.pi * (np.arange(frames) / (3.6 * MOTION_HZ) + rng.random()))
    yaw = size * (0.045 * wander(frames, slow, rng) + 0.015 * wander(frames, slow / 3, rng))
    pitch = size * 0.02 * wander(frames, slow, rng) + 0.055 * nods - 0.006 * semitones + breath
    roll = size * (0.028 * wander(frames, 1.4 * slow, rng) + 0.008 * wander(frames, slow / 2, rng))
    motion[:, _YAW] = _soft(calm * yaw + done * tracks["yaw"], 0.38)
    motion[:, _PITCH] = _soft(calm * pitch + done * tracks["pitch"], 0.34) + blended(levels, "head_pitch")
    motion[:, _ROLL] = _soft(calm * roll + done * tracks["roll"], 0.28)


def _add_eyes(
    motion: np.ndarray, yaw: np.ndarray, pitch: np.ndarray, blinks_per_min: float, urge: np.ndarray, rng: np.random.Generator
) -> None:
    """Eyes that look at yaw, pitch [F] in space whatever the head does, then blinks over whatever the lids do."""
    yaw, pitch = np.clip(yaw, -0.45, 0.45), np.clip(pitch, -0.32, 0.4)
    set_eyes(motion, *(_soft(gaze - VOR * motion[:, at], 0.5) for gaze, at in ((yaw, _YAW), (pitch, _PITCH))))
    lids = ARKIT61.indices("eyeBlinkLeft", "eyeBlinkRight")
    motion[:, lids] += 0.35 * np.clip(pitch, 0, 0.4)[:, None]  # the upper lid goes down with the eye
    jump = np.abs(np.diff(yaw, prepend=yaw[:1]))
    blink = blink_track(len(motion), blinks_per_min, urge + 25 * jump, rng)
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
    phones: str, durations_units: np.ndarray, f0_hz: np.ndarray, energy_db: np.ndarray, words: np.ndarray, score: Score, seed: int
) -> np.ndarray:
    """Face motion for one response, float32 [F, 61] at 40 Hz with F = sum(durations_units).

    phones: misaki characters; durations_units [P]: 25 ms units, one per character, 0 allowed; f0_hz [2F] (below 50 where
    unvoiced) and energy_db [2F] at 80 Hz; words [P]: each one's word of the score. The same arguments give the same bytes.
    Raises ValueError for lengths that do not agree or a character without a mouth shape.
    """
    frames = _check(phones, durations_units, (f0_hz, energy_db))
    rng = np.random.default_rng([seed, 61])
    loudness = _loudness(np.asarray(energy_db))
    spans = split_silent_tails(phone_spans(phones, durations_units), loudness)
    prosody = _read_prosody(spans, np.asarray(f0_hz), loudness)
    time = Timeline(np.concatenate(([0], np.cumsum(durations_units))).astype(int), phones, np.asarray(words, int))
    stretches = stretches_of(score, time, loudness > AUDIBLE)
    levels = affect_levels(score, stretches, frames, rng)
    vigour = blended(levels, "energy")  # [F]
    motion = _mouth(spans, vigour * rng.uniform(0.94, 1.06), prosody.loudness)
    tracks, held = act(score, stretches, frames, rng)
    add_affect(motion, levels, prosody.speaking)
    add_faces(motion, tracks)
    centres, strength = _accents(spans, prosody, rng)
    often = MARKED_ELSEWHERE if any(phrase.stressed for phrase in score.phrases) else 1.0
    strength *= score.expressiveness
    nods = bumps(frames, centres - LEAD_FRAMES, strength * (rng.random(len(centres)) < 0.65 * often), 14)
    raises = bumps(frames, centres - LEAD_FRAMES, strength * (rng.random(len(centres)) < 0.4 * often), 18)
    _add_brows(motion, vigour * raises, prosody.semitones, rng)
    _add_head(motion, tracks, vigour * nods, prosody.semitones, levels, rng)
    _add_gaze(motion, tracks, held, levels, prosody.speaking, rng)
    motion = close_lips(_finish(motion), closure_weights(spans, frames), HeadGeometry.load(DEFAULT_HEAD))
    return _finish(motion)


def _add_gaze(
    motion: np.ndarray, tracks: Tracks, held: np.ndarray, levels: np.ndarray, speaking: np.ndarray, rng: np.random.Generator
) -> None:
    """Gaze: looks at the listener and away, held [F] where the score wants the listener, moved by what it wants elsewhere."""
    moved = np.hypot(tracks["gaze_yaw"], tracks["gaze_pitch"])
    starts_away = bool(rng.random() < TURN_AVERSION)
    yaw, pitch = looks(len(motion), np.maximum(held, moved > 0.04), starts_away, rng)
    low = blended(levels, "gaze_pitch")
    blinks = float(blended(levels, "blinks_per_min").mean())
    _add_eyes(motion, saccadic(yaw) + tracks["gaze_yaw"], saccadic(pitch) + tracks["gaze_pitch"] + low, blinks, 1 + 2 * (1 - speaking), rng)


def teach_plain(
    phones: str, durations_units: np.ndarray, f0_hz: np.ndarray, energy_db: np.ndarray, affect: Affect, seed: int
) -> np.ndarray:
    """Motion as `teach_motion` makes it for speech of which only the affect is known."""
    return teach_motion(phones, durations_units, f0_hz, energy_db, np.zeros(len(phones), int), Score.plain("speech", affect), seed)


def idle_motion(frames: int, affect: Affect, seed: int) -> np.ndarray:
    """A face that listens, float32 [F, 61] at 40 Hz: drift, blinks, gaze, breathing and now and then a nod. Raises ValueError without
    frames."""
    if frames < 1:
        raise ValueError("idle motion needs at least one frame")
    rng = np.random.default_rng([seed, 62])
    still = np.zeros(frames, np.float32)
    levels = np.zeros((frames, len(AFFECTS)), np.float32)
    levels[:, affect.index] = affect_envelope(affect, frames, rng)
    motion = np.zeros((frames, ARKIT61.size), np.float32)
    add_affect(motion, levels, still)
    nods = np.flatnonzero(rng.random(frames) < 1 / (7 * MOTION_HZ))
    nods = np.concatenate([nods, nods + 14])  # a listener's nod is double
    _add_brows(motion, still, still, rng)
    no_moves = dict.fromkeys(HEAD, still)
    _add_head(motion, no_moves, bumps(frames, nods[nods < frames], np.full((nods < frames).sum(), 0.8), 16), still, levels, rng)
    style = STYLES[affect.category]
    yaw, pitch = gaze_track(frames, style, float(levels.max()), rng)
    _add_eyes(motion, yaw, pitch, style.blinks_per_min, np.ones(frames, np.float32), rng)
    motion[:, ARKIT61.index("jawOpen")] += 0.004 * (1 + wander(frames, 2.0, rng))
    return _finish(motion)
