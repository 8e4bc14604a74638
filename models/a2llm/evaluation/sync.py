"""Does the mouth belong to the sound? Every generated answer is held against what the teacher makes of its own speech.

So only the face is judged here: phones, durations, pitch and loudness are those of the generated speech.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from a2llm.evaluation.clips import Clip, teacher_motion
from a2llm.evaluation.face_metrics import (
    MAX_LAG_FRAMES,
    bilabial_closures,
    curve_lag_ms,
    lag_curve,
    lip_correlation,
    lip_width_correlation,
    loudness,
)
from a2llm.evaluation.progress import Steps
from a2llm.evaluation.statistics import rounded, share_pct, with_interval
from a2llm.head.geometry import HeadGeometry

SHORTEST_FRAMES = 4 * MAX_LAG_FRAMES  # shorter answers say nothing about a lag


@dataclass(frozen=True)
class Pair:
    """An answer with the teacher's motion [2T, 61] for its speech."""

    clip: Clip
    truth: np.ndarray


def pair_up(clips: Sequence[Clip], steps: Steps) -> list[Pair]:
    """Teaches every clip that is long enough to be judged. Raises ValueError if none is."""
    pairs = []
    for index, clip in enumerate(clips):
        if len(clip.motion) >= SHORTEST_FRAMES:
            pairs.append(Pair(clip, teacher_motion(clip, index)))
        steps.tick()
    if not pairs:
        raise ValueError("no answer is long enough to be judged")
    return pairs


def pooled_lag_ms(pairs: Sequence[Pair], head: HeadGeometry, truth: bool = False) -> tuple[float, float]:
    """Place (ms) and height of the correlation curve between loudness and lips, averaged by length over the clips."""
    curves, lengths = [], []
    for pair in pairs:
        motion = pair.truth if truth else pair.clip.motion
        curves.append(lag_curve(loudness(pair.clip.pcm, len(motion)), head.lip_opening(motion)))
        lengths.append(len(motion))
    curve = np.average(curves, axis=0, weights=lengths)
    return curve_lag_ms(curve), float(curve.max())


def _closures(pairs: Sequence[Pair], head: HeadGeometry, truth: bool) -> list[np.ndarray]:
    return [bilabial_closures(p.truth if truth else p.clip.motion, p.clip.phones, p.clip.durations, head) for p in pairs]


def _closure_figures(pairs: Sequence[Pair], head: HeadGeometry, seed: int) -> dict[str, float]:
    """Closures pooled over all p, b and m of all clips."""
    made, true = _closures(pairs, head, False), _closures(pairs, head, True)
    counts = [len(closed) for closed in made]
    figures = {"bilabials": sum(counts), "teacher_bilabial_closure_pct": 100.0 * float(np.concatenate(true).mean())}
    share = share_pct([float(closed.sum()) for closed in made], counts)
    return with_interval("bilabial_closure_pct", share, len(pairs), seed) | rounded(figures)


def _velocity_correlation(pair: Pair, head: HeadGeometry) -> float:
    a, b = np.diff(head.lip_opening(pair.truth)), np.diff(head.lip_opening(pair.clip.motion))
    return float(np.corrcoef(a, b)[0, 1]) if a.std() > 0 and b.std() > 0 else 0.0


def sync_report(pairs: Sequence[Pair], seed: int) -> dict[str, float]:
    """Lag, lip correlations and closures. The correlations are means over clips."""
    head = HeadGeometry.load()
    lips = np.array([lip_correlation(p.truth, p.clip.motion, head) for p in pairs])
    widths = np.array([lip_width_correlation(p.truth, p.clip.motion, head) for p in pairs])
    speeds = np.array([_velocity_correlation(p, head) for p in pairs])
    lag, height = pooled_lag_ms(pairs, head)
    teacher_lag, teacher_height = pooled_lag_ms(pairs, head, truth=True)
    return {
        "audio_motion_lag_ms": lag,
        "teacher_audio_motion_lag_ms": teacher_lag,
        **with_interval("lip_correlation", lambda picks: float(lips[picks].mean()), len(pairs), seed),
        **_closure_figures(pairs, head, seed),
        **rounded(
            {
                "lip_correlation_min": float(lips.min()),
                "lip_width_correlation": float(widths.mean()),
                "lip_velocity_correlation": float(speeds.mean()),
                "audio_lip_correlation": height,
                "teacher_audio_lip_correlation": teacher_height,
                "sync_clips": len(pairs),
                "sync_audio_s": sum(p.clip.seconds for p in pairs),
            }
        ),
    }
