"""Exchanges that a program can make and check: small arithmetic, sums in stories, the clock, the calendar, and units.

Every wanted is computed, in words as they are said. A seed fixes them; a kind draws from wordings, so that no pattern returns in
every line. Sums whose key a hash puts into the held-out tenth never come out for training: `a2 evaluate language` asks those.
"""

import random
from collections.abc import Callable, Iterator

from a2llm.data.annotation import AnnotatedDialogue
from a2llm.data.sums.arithmetic import ARITHMETIC
from a2llm.data.sums.calendar import CALENDAR
from a2llm.data.sums.clock import CLOCK
from a2llm.data.sums.stories import STORIES
from a2llm.data.sums.sum import Sum, dialogue, held_out
from a2llm.data.sums.units import UNITS

__all__ = ["KINDS", "Sum", "held_out", "made_sums", "sums"]

KINDS: dict[str, Callable[[random.Random], Sum]] = {**ARITHMETIC, **STORIES, **CLOCK, **CALENDAR, **UNITS}
_TRIES = 60  # draws in a row that bring nothing new end a kind


def sums(count: int, seed: int, *, of_held_out: bool = False) -> Iterator[Sum]:
    """At most `count` different sums, all kinds in turn; of the held-out tenth or of the rest. A kind that has no more is passed over."""
    rng = random.Random(seed)
    seen: set[str] = set()
    left = list(KINDS)
    while left and count > 0:
        for kind in list(left):
            found = _fresh(KINDS[kind], rng, seen, of_held_out)
            if found is None:
                left.remove(kind)
            elif count > 0:
                count -= 1
                yield found


def _fresh(draw: Callable[[random.Random], Sum], rng: random.Random, seen: set[str], of_held_out: bool) -> Sum | None:
    for _ in range(_TRIES):
        found = draw(rng)
        if held_out(found.key) is of_held_out and found.question.lower() not in seen:
            seen.add(found.question.lower())
            return found
    return None


def made_sums(count: int, seed: int) -> Iterator[AnnotatedDialogue]:
    """Sums for training, as dialogues of one turn."""
    return (dialogue(found) for found in sums(count, seed))
