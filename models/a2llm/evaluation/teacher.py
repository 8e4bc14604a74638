"""`a2 evaluate teacher`: the motion teacher held against real people.

Lips, closures and head against recordings of a face with its voice (`real_clips`), gaze and head over annotated responses that the
teacher performs. Floors beside the lips: the clip's motion for another sentence, and loudness alone. Correlations are over the frames
that are spoken; *unseen* are the words that no number of the teacher was fitted on. A lip vertex error needs a mesh of the person: there
is none, so gap and width of the lips stand for it, in mm.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm.affect import Affect
from a2llm.data.annotation import load_annotated
from a2llm.data.build import Speaker, move
from a2llm.data.face.looks import AWAY_SHARE, away_share
from a2llm.data.motion_teacher import teach_plain
from a2llm.data.score import Score
from a2llm.data.teachers import OneVoice
from a2llm.data.visemes import BILABIALS
from a2llm.evaluation.real_clips import RealClip, read_clips
from a2llm.evaluation.statistics import rounded
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61
from a2llm.talker.phones import align_words

UNSEEN_WORDS = frozenset("two five seven eight red now b f o r w y".split())
LETTERS = {"a": "eh", "z": "zed"}  # as a British voice says them, spelled so that the voice teacher does, too
HZ = 40
LAGS_MS = range(-150, 151, 25)
QUANTILES = (25, 50, 75, 90)
Report = dict[str, float | str]
Curves = dict[str, np.ndarray]


@dataclass(frozen=True)
class Held:
    """A clip with the teacher's curves at the camera's frames: jaw, gap and width [F], and the whole motion [U, 61]."""

    clip: RealClip
    curves: Curves
    motion: np.ndarray


def voice_shares(speaker: Speaker) -> Callable[[list[str]], tuple[str, np.ndarray, np.ndarray]]:
    """The voice teacher's phones and plain durations of words; a single letter is said as its name."""

    voice = OneVoice()

    def shares(words: list[str]) -> tuple[str, np.ndarray, np.ndarray]:
        text = " ".join(LETTERS.get(word, word.upper()) if len(word) == 1 else word for word in words)
        phones = "".join(symbol for symbol in speaker.g2p(text).strip() if symbol in speaker.table.ids)
        return phones, voice.plain_durations(phones), np.asarray(align_words(phones, len(words)))

    return shares


def curves_of(motion: np.ndarray, head: HeadGeometry, times_s: np.ndarray, lag_ms: float = 0.0) -> Curves:
    """Jaw, lip gap (mm) and mouth width over rest (mm) of a motion [U, 61] at these times [F], `lag_ms` later than it says."""
    tracks = {"jaw": motion[:, ARKIT61.index("jawOpen")], "gap": head.lip_opening(motion)}
    tracks["width"] = head.lip_width(motion) - head.lip_width(np.zeros((1, ARKIT61.size)))
    at = (np.arange(len(motion)) + 0.5) / HZ
    return {name: np.interp(times_s - lag_ms / 1000, at, track) for name, track in tracks.items()}


def hold(clip: RealClip, head: HeadGeometry, seed: int = 0) -> Held:
    """Lets the teacher move for a clip, given its phones, times and loudness; pitch is left out."""
    motion = teach_plain(clip.phones, clip.durations, np.zeros(len(clip.energy_db)), clip.energy_db, Affect(), seed)
    return Held(clip, curves_of(motion, head, clip.frame_times()), motion)


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's; 0 where a track does not move."""
    return float(np.corrcoef(a, b)[0, 1]) if min(a.std(), b.std(), len(a)) > 1e-9 else 0.0


def _real(clip: RealClip) -> Curves:
    return {"jaw": clip.jaw, "gap": clip.gap_mm, "width": clip.width_mm}


def _spoken(clip: RealClip, unseen: bool) -> np.ndarray:
    """Frames of words, or of unseen words only [F]."""
    wanted = np.array([not unseen or word.text in UNSEEN_WORDS for word in clip.words] + [False])
    return wanted[clip.word_of_frames()]


def _about_mean(track: np.ndarray, clip: RealClip) -> np.ndarray:
    """A curve [F] about its mean while the clip is spoken: where a tracker sees a closed mouth differs from clip to clip."""
    return track - track[_spoken(clip, False)].mean()


def pooled(held: Sequence[Held], name: str, unseen: bool, of: Callable[[int], np.ndarray] | None = None) -> float:
    """Correlation of a curve over the spoken frames of all clips, each about its clip's mean; `of` gives another curve than the
    teacher's for the i-th clip."""
    masks = [_spoken(h.clip, unseen) for h in held]
    real = np.concatenate([_about_mean(_real(h.clip)[name], h.clip)[mask] for h, mask in zip(held, masks, strict=True)])
    tracks = [of(i) if of else h.curves[name] for i, h in enumerate(held)]
    made = np.concatenate([_about_mean(track, h.clip)[mask] for track, h, mask in zip(tracks, held, masks, strict=True)])
    return correlation(real, made)


def lip_figures(held: Sequence[Held]) -> dict[str, float]:
    """Correlations of jaw, lip gap and width on unseen and on all words, their floors, and the error of gap and width in mm."""
    names = {"jaw": "real_jaw_correlation", "gap": "real_lip_correlation", "width": "real_width_correlation"}
    out: dict[str, float] = {}
    for name, key in names.items():

        def other(index: int, name: str = name) -> np.ndarray:
            track = held[(index + 1) % len(held)].curves[name]
            return np.resize(track, len(held[index].clip.jaw))

        def loud(index: int) -> np.ndarray:
            clip = held[index].clip
            at = (np.arange(len(clip.energy_db)) + 0.5) / (2 * HZ)
            return np.interp(clip.frame_times(), at, np.maximum(clip.energy_db, clip.energy_db.max() - 40))

        out |= {key: pooled(held, name, True), f"{key}_all_words": pooled(held, name, False)}
        out |= {f"{key}_other_sentence": pooled(held, name, False, other), f"{key}_loudness_alone": pooled(held, name, False, loud)}
    for name in ("gap", "width"):
        masks = [_spoken(h.clip, False) for h in held]
        errors = [np.abs(_real(h.clip)[name] - h.curves[name])[mask] for h, mask in zip(held, masks, strict=True)]
        out[f"real_{name}_error_mm"] = float(np.concatenate(errors).mean())
    return out


def lag_ms(held: Sequence[Held], head: HeadGeometry) -> float:
    """How much later than the teacher's the real jaw moves, in ms: the lag of the largest correlation."""
    shifted = {lag: [curves_of(h.motion, head, h.clip.frame_times(), lag)["jaw"] for h in held] for lag in LAGS_MS}
    return float(max(LAGS_MS, key=lambda lag: pooled(held, "jaw", False, lambda i: shifted[lag][i])))


def closures_ms(held: Sequence[Held]) -> dict[str, float]:
    """When the lips are nearest to each other about the start of p, b and m, person and teacher: medians in ms after the start."""
    real, made = [], []
    for h in held:
        times, start = h.clip.frame_times(), 0
        for phone, units in zip(h.clip.phones, h.clip.durations, strict=True):
            near = np.flatnonzero(np.abs(times - start / HZ - 0.03) < 0.12)
            if phone in BILABIALS and len(near):
                for found, track in ((real, h.clip.gap_mm), (made, h.curves["gap"])):
                    found.append(1000 * (times[near[int(np.argmin(track[near]))]] - start / HZ))
            start += int(units)
    return {"real_closure_ms": float(np.median(real)), "teacher_closure_ms": float(np.median(made)), "closures": len(real)} if real else {}


def head_speed(heads: Sequence[np.ndarray], hz: float, prefix: str) -> dict[str, float]:
    """Quantiles of the speed of the head in degrees a second, of rotations [F, 3] at `hz`, over about 120 ms as a camera shows it."""
    width = max(round(0.12 * hz), 1)
    speeds = [np.linalg.norm(head[width:] - head[:-width], axis=1) * hz / width for head in heads if len(head) > width]
    values = np.percentile(np.degrees(np.concatenate(speeds)), QUANTILES)
    return {f"{prefix}_p{q}": float(value) for q, value in zip(QUANTILES, values, strict=True)}


def performed(count: int, speaker: Speaker) -> list[np.ndarray]:
    """The teacher's motion of `count` annotated responses, spread over all of them."""
    turns = [turn for dialogue in load_annotated() for turn in dialogue.turns]
    made = []
    for seed, turn in enumerate(turns[:: max(1, len(turns) // count)][:count]):
        score = Score.annotated(turn.phrases)
        speech, words = speaker.say(score, seed)
        made.append(move(speech, words, score, seed))
    return made


def conversation_figures(motions: Sequence[np.ndarray]) -> dict[str, float]:
    """Gaze and head of performed responses beside people's: share of looking away while speaking, the head's speed."""
    yaw, pitch, _ = ARKIT61.group("head")
    eyes = (ARKIT61.index("leftEyeYaw"), ARKIT61.index("leftEyePitch"))
    shares = [away_share(m[:, eyes[0]] + m[:, yaw], m[:, eyes[1]] + m[:, pitch]) for m in motions]
    away = float(np.average(shares, weights=[len(m) for m in motions]))
    heads = [m[:, ARKIT61.group("head")] for m in motions]
    return {
        "gaze_away_share_pct": 100 * away,
        "gaze_away_share_people_pct": 100 * AWAY_SHARE,
        **head_speed(heads, HZ, "head_speed_performed"),
    }


def evaluate_teacher(
    folder: Path, clips: int, responses: int, on_progress: Callable[[int, int], None] | None = None, speaker: Speaker | None = None
) -> Report:
    """Every figure above. folder: real clips; clips: how many of them at most; responses: how many annotated ones are performed.

    Raises ValueError for a folder without clips.
    """
    speaker, head, held = speaker or Speaker(), HeadGeometry.load(), list[Held]()
    for clip in read_clips(folder, voice_shares(speaker)):
        held.append(hold(clip, head, len(held)))
        if on_progress:
            on_progress(len(held), clips)
        if len(held) >= clips:
            break
    figures = lip_figures(held) | {"real_lag_ms": lag_ms(held, head)} | closures_ms(held)
    figures |= head_speed([h.clip.head for h in held], held[0].clip.fps, "head_speed_real_commands")
    figures |= head_speed([h.motion[:, ARKIT61.group("head")] for h in held], HZ, "head_speed_plain")
    figures |= conversation_figures(performed(responses, speaker)) if responses else {}
    return {**rounded(figures), "real_clips": len(held), "performed_responses": responses}
