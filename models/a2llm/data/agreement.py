"""How well two annotations of the same responses agree: the shipped one, and a second that was made blind of a tenth of the dialogues.

Kappa (Cohen 1960) is agreement beyond chance: 1 the same, 0 no better than chance. F1 has no chance level, so read both. Everything is
counted in tables, one per dialogue (row: first annotation, column: second), since phrases of one dialogue are not independent.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from a2llm.affect import AFFECTS
from a2llm.data.annotation import FUNCTIONS, AnnotatedDialogue, Phrase
from a2llm.evaluation.statistics import rounded, with_interval

SECOND = "annotated_second"
SAMPLED_ONE_IN = 10
NAMES = tuple(FUNCTIONS)
Pairs = list[tuple[Phrase, Phrase]]


def in_sample(dialogue: AnnotatedDialogue) -> bool:
    """Whether a dialogue is of the tenth that is annotated twice; its first line decides."""
    return int(hashlib.sha256(dialogue.turns[0].user.encode()).hexdigest(), 16) % SAMPLED_ONE_IN == 0


def sheet(first: Iterable[AnnotatedDialogue], second: Iterable[AnnotatedDialogue]) -> Iterator[dict[str, Any]]:
    """Yields the dialogues of the sample that lack a second annotation: words, and phrases with empty brackets to fill, in an order that
    tells nothing."""
    done = {_key(dialogue) for dialogue in second}
    left = [dialogue for dialogue in first if in_sample(dialogue) and _key(dialogue) not in done]
    for dialogue in sorted(left, key=lambda d: hashlib.sha256(str(_key(d)).encode()).digest()):
        responses = (" ".join(f"[] {phrase.text}" for phrase in turn.phrases) for turn in dialogue.turns)
        turns = [{"user": t.user, "voice": t.voice.category, "response": r} for t, r in zip(dialogue.turns, responses, strict=True)]
        yield {"kind": "blind", "turns": turns}


def _key(dialogue: AnnotatedDialogue) -> tuple[tuple[str, str], ...]:
    return tuple((turn.user, turn.response) for turn in dialogue.turns)


def matched(first: Iterable[AnnotatedDialogue], second: Iterable[AnnotatedDialogue]) -> list[Pairs]:
    """The phrases of every dialogue annotated twice, side by side; left out: those whose words or phrases have changed since."""
    shipped = {_key(dialogue): _phrases(dialogue) for dialogue in first}
    both = ((shipped.get(_key(dialogue), []), _phrases(dialogue)) for dialogue in second)
    return [list(zip(a, b, strict=True)) for a, b in both if [p.text for p in a] == [p.text for p in b]]


def _phrases(dialogue: AnnotatedDialogue) -> list[Phrase]:
    return [phrase for turn in dialogue.turns for phrase in turn.phrases]


def kappa(table: np.ndarray) -> float:
    """Cohen's kappa of counts [k, k]."""
    total = table.sum()
    chance = float(table.sum(0) @ table.sum(1)) / total**2
    return 1.0 if chance == 1.0 else float((np.trace(table) / total - chance) / (1.0 - chance))


def f1(table: np.ndarray) -> float:
    """F1 of counts [2, 2], index 1: given. It is the same whoever is taken as right."""
    either = 2 * table[1, 1] + table[0, 1] + table[1, 0]
    return float(2 * table[1, 1] / either) if either else 0.0


def tables(dialogues: Sequence[Pairs], classes: int, labels: Callable[[Phrase], Sequence[int]]) -> np.ndarray:
    """Counts [dialogue, class of the first, class of the second]; `labels` gives the classes of a phrase, or of its words."""
    out = np.zeros((len(dialogues), classes, classes))
    for table, pairs in zip(out, dialogues, strict=True):
        for ours, theirs in pairs:
            np.add.at(table, (list(labels(ours)), list(labels(theirs))), 1)
    return out


def one_of(table: np.ndarray, index: int) -> np.ndarray:
    """Counts [2, 2] of one class against all others."""
    both, ours, theirs = table[index, index], table[index].sum(), table[:, index].sum()
    return np.array([[table.sum() - ours - theirs + both, theirs - both], [ours - both, both]])


def figures(dialogues: Sequence[Pairs]) -> dict[str, Any]:
    """All figures, nested. `n`: phrases (of stress: words) to which at least one annotation gives the label."""
    leading = tables(dialogues, len(NAMES), lambda p: [NAMES.index(p.functions[0])])
    affect = tables(dialogues, len(AFFECTS), lambda p: [p.affect.index])
    given = {name: tables(dialogues, 2, lambda p, name=name: [int(name in p.functions)]) for name in NAMES}
    counts = {"dialogues": len(dialogues), "phrases": int(leading.sum()), "words": int(_stress(dialogues).sum())}
    return counts | {
        **_interval("leading_function_kappa", leading, kappa),
        **_interval("any_function_f1", sum(given.values(), start=np.zeros(())), f1),
        **_interval("affect_kappa", affect, kappa),
        **_intensity(dialogues),
        **_interval("stress_f1", _stress(dialogues), f1),
        **_interval("stress_kappa", _stress(dialogues), kappa),
        "stress_n": _either(_stress(dialogues).sum(0)),
        "stress_contrast": _label(_stress(dialogues, ("contrast",)).sum(0)),
        "affect": {name: _label(one_of(affect.sum(0), index)) for index, name in enumerate(AFFECTS)},
        "leading": {name: _label(one_of(leading.sum(0), index)) for index, name in enumerate(NAMES)},
        "any": {name: _label(table.sum(0)) for name, table in given.items()},
    }


def _interval(key: str, counts: np.ndarray, statistic: Callable[[np.ndarray], float]) -> dict[str, float]:
    return with_interval(key, lambda picks: statistic(counts[picks].sum(0)), len(counts))


def _label(table: np.ndarray) -> dict[str, float]:
    """A label nobody gave has no figures but its n."""
    found = rounded({"kappa": kappa(table), "f1": f1(table)}) if _either(table) else {}
    return found | {"n": _either(table)}


def _either(table: np.ndarray) -> int:
    return int(table.sum() - table[0, 0])


def _stress(dialogues: Sequence[Pairs], kinds: Sequence[str] = ("emphasis", "contrast")) -> np.ndarray:
    return tables(dialogues, 2, lambda p: [int(p.stressed.get(word) in kinds) for word in range(len(p.text.split()))])


def _intensity(dialogues: Sequence[Pairs]) -> dict[str, float]:
    """Compares intensities over the phrases to which both give the same affect. `bias` above 0: the second annotation is stronger."""
    same = [(a.affect.intensity, b.affect.intensity) for pairs in dialogues for a, b in pairs if a.affect.index == b.affect.index > 0]
    ours, theirs = np.array(same).reshape(-1, 2).T
    spread = len(same) > 1 and ours.std() > 0 and theirs.std() > 0
    known = {"intensity_correlation": float(np.corrcoef(ours, theirs)[0, 1])} if spread else {}
    if same:
        known |= {"intensity_mean_difference": float(abs(theirs - ours).mean()), "intensity_bias": float((theirs - ours).mean())}
    return rounded(known) | {"intensity_n": len(same)}


def confusions(dialogues: Sequence[Pairs], label: Callable[[Phrase], str]) -> Counter[tuple[str, str]]:
    """How often the first annotation says one label and the second another."""
    said = ((label(ours), label(theirs)) for pairs in dialogues for ours, theirs in pairs)
    return Counter(pair for pair in said if pair[0] != pair[1])
