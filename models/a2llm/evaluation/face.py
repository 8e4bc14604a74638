"""Does the face live, and does it show what is meant?

Distances and liveliness against the teacher's motion for the same generated speech; blinks over everything generated;
and the affect that a frozen judge reads from the face with its mouth hidden, when each affect in turn is asked for.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from a2llm.affect import AFFECTS
from a2llm.clock import FrameClock
from a2llm.evaluation import face_metrics as fm
from a2llm.evaluation.affect_classifier import AffectClassifier
from a2llm.evaluation.clips import Clip
from a2llm.evaluation.statistics import ratio, rounded, share_pct, with_interval
from a2llm.evaluation.sync import Pair
from a2llm.head.geometry import HeadGeometry
from a2llm.layers.quantize import perplexity
from a2llm.motion_codec.codec import MotionCodec
from a2llm.rig import ARKIT61

SHUFFLES = 100


def _speed(motion: np.ndarray, group: str | None = None) -> float:
    """Sum over frames of the mean absolute change of the coefficients."""
    columns = slice(None) if group is None else ARKIT61.group(group)
    return float(np.abs(np.diff(motion[:, columns], axis=0)).mean(1).sum())


def _surface_speed(motion: np.ndarray, head: HeadGeometry) -> float:
    """Sum over frames of the mean way of the face's vertices, mm."""
    moved = np.tensordot(np.diff(motion, axis=0).astype(np.float32), head.basis("face")[1], axes=1)
    return float(np.linalg.norm(moved, axis=-1).mean(1).sum())


def _spread(motion: np.ndarray) -> float:
    return float(np.square(motion - motion.mean(0)).sum())


def _total_ratio(pairs: Sequence[Pair], size: Callable[[np.ndarray], float]) -> float:
    return sum(size(p.clip.motion) for p in pairs) / sum(size(p.truth) for p in pairs)


def liveliness(pairs: Sequence[Pair], head: HeadGeometry, seed: int) -> dict[str, float]:
    """Generated over teacher: change of coefficients (all, mouth, upper face), way of the vertices, variance."""
    made, true = [_speed(p.clip.motion) for p in pairs], [_speed(p.truth) for p in pairs]
    parts = {
        "mouth_velocity_ratio": _total_ratio(pairs, lambda m: _speed(m, "mouth")),
        "upper_velocity_ratio": _total_ratio(pairs, lambda m: _speed(m, "upper")),
        "head_velocity_ratio": _total_ratio(pairs, lambda m: _speed(m, "head")),
        "liveliness": _total_ratio(pairs, lambda m: _surface_speed(m, head)),
        "variance_ratio": _total_ratio(pairs, _spread),
    }
    return with_interval("velocity_ratio", ratio(made, true), len(pairs), seed) | rounded(parts)


def distances(pairs: Sequence[Pair], head: HeadGeometry) -> dict[str, float]:
    """LVE, MVE, MOD (means over frames) and FDD (mean over clips, signed and absolute) to the teacher."""
    frames = [len(p.truth) for p in pairs]

    def mean(metric: Callable[[np.ndarray, np.ndarray, HeadGeometry], float]) -> float:
        return float(np.average([metric(p.truth, p.clip.motion, head) for p in pairs], weights=frames))

    fdd = np.array([fm.fdd_mm2(p.truth, p.clip.motion, head) for p in pairs])
    figures = {"lve_mm": mean(fm.lve_mm), "mve_mm": mean(fm.mve_mm), "mod_mm": mean(fm.mod_mm)}
    return rounded({**figures, "fdd_mm2": float(fdd.mean()), "fdd_abs_mm2": float(np.abs(fdd).mean())})


def blinks(clips: Sequence[Clip], truths: Sequence[np.ndarray]) -> dict[str, float]:
    """Blinks per minute over all generated speech and over the teacher's motion, each [F, 61], with the seconds they rest on."""
    hz = FrameClock().motion_hz
    frames, true_frames = sum(len(a.motion) for a in clips), sum(len(t) for t in truths)
    return rounded(
        {
            "blinks_per_min": 60.0 * hz * sum(fm.count_blinks(a.motion) for a in clips) / frames,
            "teacher_blinks_per_min": 60.0 * hz * sum(fm.count_blinks(t) for t in truths) / true_frames,
            "blink_seconds": frames / hz,
        }
    )


def masked_affect(judge: AffectClassifier, pairs: Sequence[Pair], seed: int) -> dict[str, float]:
    """Share of answers whose forced affect the judge reads without the mouth; ceiling: on the teacher's motion; shuffled:
    against shuffled labels. Recall of each affect beside them, in percent."""
    target = np.array([p.clip.affect.index for p in pairs])
    made = np.array([judge.predict(p.clip.motion) for p in pairs])
    true = np.array([judge.predict(p.truth) for p in pairs])
    rng = np.random.default_rng(seed)
    shuffled = np.mean([(made == rng.permutation(target)).mean() for _ in range(SHUFFLES)])
    hits, ones = (made == target).astype(float), np.ones(len(pairs))
    recall = {
        f"masked_affect_{name}_pct": 100.0 * float(hits[target == index].mean()) if (target == index).any() else float("nan")
        for index, name in enumerate(AFFECTS)
    }
    return with_interval("masked_affect_accuracy_pct", share_pct(hits.tolist(), ones.tolist()), len(pairs), seed) | rounded(
        {
            "masked_affect_ceiling_pct": 100.0 * float((true == target).mean()),
            "masked_affect_shuffled_pct": 100.0 * float(shuffled),
            "masked_affect_clips": len(pairs),
            **recall,
        }
    )


@torch.no_grad()
def motion_codec_figures(codec: MotionCodec, pairs: Sequence[Pair], head: HeadGeometry) -> dict[str, float]:
    """Loss of the motion codec alone, on the teacher's motion of speech it never saw, and how evenly its codes are used."""
    truths, rebuilt, codes = [p.truth for p in pairs], [], []
    for truth in truths:
        codes.append(codec.encode(torch.from_numpy(truth)[None]))
        rebuilt.append(codec.decode(codes[-1])[0, : len(truth)].numpy())
    closed = [fm.bilabial_closures(m, p.clip.phones, p.clip.durations, head) for m, p in zip(rebuilt, pairs, strict=True)]
    lve = [fm.lve_mm(x, y, head) for x, y in zip(truths, rebuilt, strict=True)]
    use = perplexity(torch.cat(codes, dim=2), codec.config.size)
    figures = {
        "motion_codec_lve_mm": float(np.average(lve, weights=[len(t) for t in truths])),
        "motion_codec_velocity_ratio": sum(map(_speed, rebuilt)) / sum(map(_speed, truths)),
        "motion_codec_bilabial_closure_pct": 100.0 * float(np.concatenate(closed).mean()),
        **{f"motion_perplexity_{level}": float(value) for level, value in enumerate(use)},
    }
    return rounded(figures)


def face_report(
    natural: Sequence[Pair], forced: Sequence[Pair], judge: AffectClassifier, codec: MotionCodec, seed: int
) -> dict[str, float]:
    """Everything above: natural answers for distances and liveliness, forced ones for the affect, both for blinks."""
    head = HeadGeometry.load()
    both = [*natural, *forced]
    return {
        **liveliness(natural, head, seed),
        **blinks([p.clip for p in both], [p.truth for p in both]),
        **masked_affect(judge, forced, seed),
        **distances(natural, head),
        **motion_codec_figures(codec, natural, head),
        "face_clips": len(natural),
    }
