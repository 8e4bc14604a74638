"""Draws the annotated responses that are spoken: as many hours as a plan wants, so that what people do seldom is met often enough.

Every context of a pair is taken or none: the pairs say that the same words have another face elsewhere. Not how they are spoken: `build`.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from a2llm.affect import Affect
from a2llm.data.annotation import AnnotatedDialogue, Phrase, load_annotated
from a2llm.data.dialogues import unasked, whole_affect
from a2llm.data.text import Sample

SECONDS_A_WORD, SECONDS_A_RESPONSE = 0.36, 0.3  # measured on the teacher's speech


def annotated_samples() -> Iterator[Sample]:
    """Every annotated response that ships, with the turns before it; none of what an evaluation asks."""
    for dialogue in unasked(load_annotated()):
        yield from _responses(dialogue)


def _responses(dialogue: AnnotatedDialogue) -> Iterator[Sample]:
    for index, turn in enumerate(dialogue.turns):
        affect = whole_affect(turn)
        earlier = [{"user": t.user, "voice": t.voice.category, "response": t.response} for t in dialogue.turns[:index]]
        pair = dialogue.pair if index == len(dialogue.turns) - 1 else ""
        yield Sample(
            turn.user,
            turn.voice.category,
            turn.response,
            affect.category,
            affect.intensity,
            "annotated",
            [asdict(phrase) for phrase in turn.phrases],
            earlier,
            pair,
            dialogue.persona,
        )


def phrases_of(rows: Sequence[dict[str, Any]]) -> tuple[Phrase, ...]:
    """The phrases of a sample, as `text.jsonl` holds them."""
    return tuple(_phrase(**row) for row in rows)


def _phrase(text: str, functions: Sequence[str], affect: dict[str, Any], stressed: dict[str, str]) -> Phrase:
    return Phrase(text, tuple(functions), Affect(**affect), {int(word): kind for word, kind in stressed.items()})


def estimated_s(sample: Sample) -> float:
    """About how long it takes to say."""
    return SECONDS_A_RESPONSE + SECONDS_A_WORD * len(sample.response.split())


def draw(samples: Sequence[Sample], hours: float, rarity: float, seed: int) -> list[Sample]:
    """Samples of about so many hours in the order in which they came; all where there are no more.

    A response weighs as much as its rarest function: frequency ** -rarity, 0 draws all alike (Efraimidis & Spirakis 2006, without
    replacement). A pair's contexts come together and weigh as one.
    """
    seen = Counter(name for sample in samples for name in functions_of(sample))
    rng, groups = random.Random(seed), dict[str, list[int]]()
    for index, sample in enumerate(samples):
        groups.setdefault(sample.pair or f"#{index}", []).append(index)
    keys = dict[str, float]()
    for name, members in groups.items():
        weight = max((seen[f] ** -rarity for i in members for f in functions_of(samples[i])), default=0.0)
        keys[name] = rng.random() ** (1.0 / weight) if weight else -1.0
    chosen, left_s = list[int](), hours * 3600.0
    for name in sorted(groups, key=lambda name: -keys[name]):
        if left_s <= 0:
            break
        chosen += groups[name]
        left_s -= sum(estimated_s(samples[i]) for i in groups[name])
    return [samples[index] for index in sorted(chosen)]


def functions_of(sample: Sample) -> set[str]:
    """Functions of a sample's phrases."""
    return {str(name) for phrase in sample.phrases for name in phrase["functions"]}
