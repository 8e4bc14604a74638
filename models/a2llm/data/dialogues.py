"""Reads all that the model learns to say: the annotated dialogues, the facts in all their wordings, and sums that a program made.
Apache-2.0, written for this project.

What an evaluation asks is left out, wherever it stands.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from hashlib import sha256
from itertools import chain

from a2llm.affect import Affect
from a2llm.data.annotation import AnnotatedDialogue, AnnotatedTurn, load_annotated
from a2llm.data.facts import load_facts
from a2llm.data.sums import made_sums
from a2llm.evaluation.language.questions import held_out_lines, plain

SUMS, SUMS_SEED = 5000, 0


@dataclass(frozen=True)
class Exchange:
    """One turn of the user and the response to it. `affect`: what the response feels like as a whole."""

    user: str
    voice: Affect
    response: str
    affect: Affect


@dataclass(frozen=True)
class Dialogue:
    """Exchanges that belong together; `persona` names who answers where the words depend on it. `kind` as in the data files."""

    annotated: AnnotatedDialogue

    @cached_property
    def exchanges(self) -> tuple[Exchange, ...]:
        return tuple(Exchange(turn.user, turn.voice, turn.response, whole_affect(turn)) for turn in self.annotated.turns)

    @property
    def kind(self) -> str:
        return self.annotated.kind

    @property
    def persona(self) -> str | None:
        return self.annotated.persona or None

    @property
    def held_out(self) -> bool:
        """A fixed tenth. A pair's dialogues stay on one side, and so do those that begin with the same line in different voices."""
        key = f"pair {self.annotated.pair}" if self.annotated.pair else self.exchanges[0].user.lower()
        return sha256(key.encode()).digest()[0] < 26


def whole_affect(turn: AnnotatedTurn) -> Affect:
    """The affect that most of a response's words carry most strongly, as strong as where it is strongest; neutral where none does."""
    weights: dict[str, float] = {}
    for phrase in turn.phrases:
        if phrase.affect.index:
            found = weights.get(phrase.affect.category, 0.0)
            weights[phrase.affect.category] = found + phrase.affect.intensity * len(phrase.text.split())
    if not weights:
        return Affect()
    name = max(weights, key=lambda category: weights[category])
    return Affect(name, max(phrase.affect.intensity for phrase in turn.phrases if phrase.affect.category == name))


def load_dialogues() -> Iterator[Dialogue]:
    """Every dialogue that ships, in file order, then the facts, then the sums."""
    yield from _every_dialogue()


def unasked(dialogues: Iterable[AnnotatedDialogue]) -> Iterator[AnnotatedDialogue]:
    """Those in which nobody says what an evaluation asks."""
    asked = set(held_out_lines())
    return (dialogue for dialogue in dialogues if not any(plain(turn.user) in asked for turn in dialogue.turns))


@cache
def _every_dialogue() -> tuple[Dialogue, ...]:
    """Read once in a process: 55,000 lines are to be parsed."""
    return tuple(map(Dialogue, unasked(chain(load_annotated(), load_facts(), made_sums(SUMS, SUMS_SEED)))))
