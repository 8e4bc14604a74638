"""How well a frozen judge reads meaning from motion: sums per dialogue and seed, and figures of them with intervals.

Dialogues and seeds are drawn again together (a crossed bootstrap, Owen 2007): neither phrases of a dialogue nor runs of a seed are
independent. Shapes: U units (dialogues or pairs), R seeds, K sums.
"""

from collections.abc import Callable, Sequence

import numpy as np

from a2llm.evaluation.affect_classifier import AffectClassifier
from a2llm.evaluation.motion_judge import MotionJudge, Verdict
from a2llm.evaluation.proof_cases import Case, Example, Labels
from a2llm.evaluation.statistics import rounded

DRAWS = 2000
CLEAR = 0.45  # least intensity of an affect that a whole response is judged for
LEAST = 1e-6
Figure = Callable[[np.ndarray], np.ndarray]  # sums [..., K] -> [...]


def f1(sums: np.ndarray) -> np.ndarray:
    """hits, read, true -> F1."""
    return 2 * sums[..., 0] / np.maximum(sums[..., 1] + sums[..., 2], LEAST)


def share_pct(sums: np.ndarray) -> np.ndarray:
    """right, all -> percent."""
    return 100 * sums[..., 0] / np.maximum(sums[..., 1], LEAST)


def correlation(sums: np.ndarray) -> np.ndarray:
    """xy, xx, yy of centred values -> Pearson's r."""
    return sums[..., 0] / np.sqrt(np.maximum(sums[..., 1] * sums[..., 2], LEAST**2))


def function_sums(judge: MotionJudge, verdict: Verdict, labels: Labels) -> np.ndarray:
    """hits, read and true [3] of one example, over the functions that can be read from the teacher."""
    keep = judge.readable.numpy() > 0.5
    read, true = verdict.functions[:, keep] >= judge.threshold.numpy()[keep], labels.functions[:, keep] > 0.5
    return np.array([(read & true).sum(), read.sum(), true.sum()], float)


def arc_sums(verdict: Verdict, labels: Labels) -> np.ndarray:
    """xy, xx, yy [3] of one example: how affects move from phrase to phrase, as read and as meant; zeros where they do not move."""
    x, y = verdict.affects - verdict.affects.mean(0), labels.affects - labels.affects.mean(0)
    return np.array([(x * y).sum(), (x * x).sum(), (y * y).sum()]) if np.abs(y).max(initial=0.0) > 0.05 else np.zeros(3)


def masked_sums(judge: AffectClassifier, example: Example) -> np.ndarray:
    """right, all [2] of one example, where the whole of it clearly has one affect, read with the mouth hidden."""
    strongest = example.labels.affects.argmax(1)
    level = example.labels.affects[:, 1:].max(1) if strongest.any() else np.ones(1)
    if len(set(strongest.tolist())) != 1 or level.min() < CLEAR:
        return np.zeros(2)
    return np.array([judge.predict(example.motion.astype(np.float32)) == strongest[0], 1.0])


def likelihood(verdict: Verdict, labels: Labels, readable: np.ndarray) -> float:
    """Log-likelihood of labels [P, ...] under what was read."""
    read = np.clip(verdict.functions, LEAST, 1 - LEAST)
    said = labels.functions * np.log(read) + (1 - labels.functions) * np.log(1 - read)
    felt = labels.affects * np.log(np.clip(verdict.affects, LEAST, 1))
    return float((said * readable).sum() + felt.sum())


def pair_sums(verdicts: Sequence[Verdict], labels: Sequence[Labels], readable: np.ndarray) -> np.ndarray:
    """right, all [2] over all twos of one pair's contexts: does the judge give each motion its own context? A tie is half right.

    Twos whose labels are the same, or whose phrases are cut otherwise, do not count.
    """
    right = total = 0.0
    for a in range(len(verdicts)):
        for b in range(a):
            if labels[a].functions.shape != labels[b].functions.shape:
                continue
            own = likelihood(verdicts[a], labels[a], readable) + likelihood(verdicts[b], labels[b], readable)
            other = likelihood(verdicts[a], labels[b], readable) + likelihood(verdicts[b], labels[a], readable)
            same = np.allclose(labels[a].functions * readable, labels[b].functions * readable) and np.allclose(
                labels[a].affects, labels[b].affects, atol=0.01
            )
            right += 0.0 if same else 0.5 + 0.5 * float(np.sign(round(own - other, 9)))
            total += 0.0 if same else 1.0
    return np.array([right, total])


def by_unit(names: Sequence[str], sums: Sequence[np.ndarray]) -> np.ndarray:
    """Sums [K] of cases -> [U, K] of the units that they belong to, in the order of their names."""
    units = {name: index for index, name in enumerate(sorted(set(names)))}
    out = np.zeros((len(units), len(sums[0]) if sums else 0))
    for name, one in zip(names, sums, strict=True):
        out[units[name]] += one
    return out


def with_crossed_interval(key: str, sums: np.ndarray, figure: Figure, seed: int = 0) -> dict[str, float]:
    """`key` over sums [R, U, K], `key`_low and `key`_high: the 95% interval with seeds and units drawn again; nan without any."""
    if not sums.size or not sums[..., -1].any():
        return {key: float("nan"), f"{key}_low": float("nan"), f"{key}_high": float("nan")}
    rng, (seeds, units) = np.random.default_rng(seed), sums.shape[:2]
    of_seeds = rng.multinomial(seeds, np.full(seeds, 1 / seeds), DRAWS)
    of_units = rng.multinomial(units, np.full(units, 1 / units), DRAWS)
    drawn = figure(np.einsum("dr,du,ruk->dk", of_seeds, of_units, sums, optimize=True))
    low, high = np.percentile(drawn, (2.5, 97.5))
    return rounded({key: float(figure(sums.sum((0, 1)))), f"{key}_low": float(low), f"{key}_high": float(high)})


def scores(
    judge: MotionJudge, masked: AffectClassifier | None, cases: Sequence[Case], examples: Sequence[Example]
) -> dict[str, np.ndarray]:
    """Sums [U, K] of one seed's motion of every case, by figure."""
    verdicts = [judge.read(example.motion, example.spans) for example in examples]
    names = [case.dialogue for case in cases]
    found = {
        "function_f1": by_unit(names, [function_sums(judge, v, e.labels) for v, e in zip(verdicts, examples, strict=True)]),
        "arc_correlation": by_unit(names, [arc_sums(v, e.labels) for v, e in zip(verdicts, examples, strict=True)]),
    }
    if masked is not None:
        found["masked_affect_pct"] = by_unit(names, [masked_sums(masked, example) for example in examples])
    readable, pairs = judge.readable.numpy(), sorted({case.pair for case in cases if case.pair})
    of = {pair: [i for i, case in enumerate(cases) if case.pair == pair] for pair in pairs}
    twos = [pair_sums([verdicts[i] for i in of[p]], [examples[i].labels for i in of[p]], readable) for p in pairs]
    return found | {"minimal_pair_pct": by_unit(pairs, twos) if twos else np.zeros((0, 2))}


FIGURES: dict[str, Figure] = {
    "function_f1": f1,
    "arc_correlation": correlation,
    "masked_affect_pct": share_pct,
    "minimal_pair_pct": share_pct,
}
