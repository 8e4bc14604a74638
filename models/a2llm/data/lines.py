"""The lines of a data set: which texts are spoken in which way, and which are held out. Nothing is spoken here."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.data.score import Score
from a2llm.data.selection import phrases_of
from a2llm.language.spoken_text import to_spoken
from a2llm.messages.requests import MOST_EXPRESSIVE

HELD_OUT, HELD_OUT_PAIRS = 10, 51  # of 256 texts


@dataclass(frozen=True)
class Performance:
    """One way in which a text is spoken. forced: its affect was drawn, and is not what the words mean."""

    score: Score
    forced: bool


@dataclass(frozen=True)
class Line:
    """One text to be spoken, its line number and its performances. annotated: its phrases say what they do."""

    sample: int
    performances: tuple[Performance, ...]
    split: str
    annotated: bool


@dataclass(frozen=True)
class Manner:
    """How a plan's texts are spoken: with how many affects, in which voices, and which share with another strength than usual."""

    variants: int
    voices: tuple[str, ...]
    varied: float

    def strength(self, rng: random.Random) -> float:
        return round(rng.uniform(0.3, MOST_EXPRESSIVE), 2) if rng.random() < self.varied else 1.0


def split_of(text: str, held_out: int = HELD_OUT) -> str:
    """Every text belongs to one split for ever: about 4% are held out, `held_out` of 256. What few hold out, more do, too."""
    return "held_out" if sha256(text.lower().encode()).digest()[2] < held_out else "train"


def plan(samples: list[dict[str, Any]], manner: Manner, seed: int) -> list[Line]:
    """Each text as its words mean it and `variants` - 1 times with a drawn affect, so that every affect meets every text; drills and
    repeated lines, whose words mean nothing where they stand, have only such ones. A pair's texts, the same in every context, are held
    out more often than others: few pairs tell little."""
    rng = random.Random(seed)
    paired = {str(sample["response"]).lower() for sample in samples if sample.get("pair")}
    lines = []
    for index, sample in enumerate(samples):
        text, phrases = str(sample["response"]), sample.get("phrases") or ()
        own = Affect(str(sample["affect"]), float(sample["intensity"]))
        meant = sample["source"] not in ("drill", "repeat")
        scores = [_score(text, own, phrases, manner, rng)]
        for _ in range(manner.variants - 1 if sample["source"] != "drill" else 0):
            scores.append(_score(text, _drawn_affect(rng), (), manner, rng))
        performances = tuple(Performance(score, number > 0 or not meant) for number, score in enumerate(scores))
        held_out = HELD_OUT_PAIRS if text.lower() in paired else HELD_OUT
        lines.append(Line(index, performances, split_of(text, held_out), bool(phrases)))
    return lines


def _score(text: str, affect: Affect, phrases: Sequence[dict[str, Any]], manner: Manner, rng: random.Random) -> Score:
    voice, strength = rng.choice(manner.voices), manner.strength(rng)
    if phrases:
        return Score.annotated(phrases_of(phrases), voice, strength)
    return Score.plain(to_spoken(text), affect, voice, strength)


def _drawn_affect(rng: random.Random) -> Affect:
    category = rng.choice(AFFECTS)
    return Affect(category, round(rng.uniform(0.3, 1.0), 2) if category != "neutral" else 0.0)


def overall_affect(score: Score) -> Affect:
    """The affect of a response as a whole: the mean over its words."""
    first = score.phrases[0].affect
    same = all(phrase.affect == first for phrase in score.phrases)
    weights = [phrase.end - phrase.start for phrase in score.phrases]
    return first if same else Affect.from_vector(np.average([phrase.affect.vector() for phrase in score.phrases], 0, weights))
