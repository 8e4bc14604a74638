"""Questions for the model under test: held-out ones, and the bench's fixed everyday prompts.

Everything ships inside the package, so that a number can be had again anywhere.
"""

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.data.dialogues import load_dialogues

FORCED_FROM = 0.5  # least intensity at which a forced affect is judged


@dataclass(frozen=True)
class Question:
    """A user's line and how it sounds."""

    text: str
    voice: Affect


@cache
def held_out_questions() -> tuple[Question, ...]:
    """First lines of the held-out dialogues, facts and sums apart, each once, in an order that mixes their topics and never changes."""
    found: dict[str, Question] = {}
    for dialogue in load_dialogues():
        first = dialogue.exchanges[0]
        if dialogue.held_out and not dialogue.kind.startswith(("fact", "sum")):
            found.setdefault(first.user.lower(), Question(first.user, first.voice))
    return tuple(found[key] for key in sorted(found, key=lambda text: sha256(f"order {text}".encode()).digest()))


def questions(count: int) -> list[Question]:
    """The first `count` held-out questions; they begin again where there are fewer. Raises ValueError below one."""
    if count < 1:
        raise ValueError("an evaluation needs at least one clip")
    known = held_out_questions()
    return [known[index % len(known)] for index in range(count)]


def trained_responses() -> set[str]:
    """Every hand-written response of the training dialogues, lower case."""
    return {e.response.lower() for dialogue in load_dialogues() if not dialogue.held_out for e in dialogue.exchanges}


def forced_affects(index: int, seed: int) -> list[Affect]:
    """The five affects that question `index` is answered with; neutral has no intensity, the others 0.5 to 1."""
    rng = np.random.default_rng([seed, index, 5])
    levels = rng.uniform(FORCED_FROM, 1.0, len(AFFECTS)).round(2)
    return [Affect(name, float(level) if name != "neutral" else 0.0) for name, level in zip(AFFECTS, levels, strict=True)]


@cache
def bench_prompts() -> tuple[str, ...]:
    """Fifty everyday things to say, typed as people type them."""
    return tuple(json.loads(files("a2llm.data").joinpath("held_out", "prompts.json").read_text()))
