"""The questions of the evaluation of language, with what a right answer holds. None of them is in any training data: loaders of
training data leave them out, a test counts.

    {"turns": ["What is the capital of Australia?"], "right": ["canberra"], "wrong": ["sydney"]}

right: one of these word sequences has to be in the last answer ("canberra", "two & legs": both). wrong: none of these may be. kind: of
a set with several. affect: one of these the last answer has to have.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

from a2llm.affect import AFFECTS

SETS = ("facts", "multi_turn", "unknown", "open")
ARITHMETIC, ARITHMETIC_SEED = 120, 7


@dataclass(frozen=True)
class Question:
    """The user's lines, turn by turn, and the rule for the last answer. Raises ValueError for a rule that nothing can meet."""

    turns: tuple[str, ...]
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    kind: str = ""
    affect: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.turns or not all(turn.strip() for turn in self.turns):
            raise ValueError("a question needs turns that say something")
        if not set(self.affect) <= set(AFFECTS):
            raise ValueError(f"unknown affect in {self.affect}: {', '.join(AFFECTS)} are known")


def plain(text: str) -> str:
    """Lower-case words with single spaces; hyphens part words, other marks vanish."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower().replace("’", "'").replace("-", " ")))


@cache
def question_set(name: str) -> tuple[Question, ...]:
    """One of SETS. Raises ValueError with the line that cannot be read."""
    found: list[Question] = []
    lines = files("a2llm.evaluation").joinpath("questions", f"{name}.jsonl").read_text().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            raw: dict[str, Any] = json.loads(line)
            lists = {key: tuple(raw.get(key, ())) for key in ("turns", "right", "wrong", "affect")}
            found.append(Question(**lists, kind=str(raw.get("kind", ""))))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}.jsonl:{number}: {error}") from error
    return tuple(found)


@cache
def arithmetic(count: int = ARITHMETIC) -> tuple[Question, ...]:
    """Sums of the tenth that training never sees, as a set."""
    from a2llm.data.sums import sums

    found = sums(count, ARITHMETIC_SEED, of_held_out=True)
    return tuple(Question((one.question,), (one.wanted,), kind=one.kind) for one in found)


def held_out_lines() -> Iterator[str]:
    """The last line of every question, plain: what no user of the training data says."""
    for question in chain(arithmetic(), *map(question_set, SETS)):
        yield plain(question.turns[-1])
