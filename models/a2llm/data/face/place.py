"""The place of a phrase among the others: what a form may depend on beside its function."""

from collections.abc import Callable
from dataclasses import dataclass

from a2llm.data.face.moves import Move


@dataclass(frozen=True)
class Place:
    """The place of a phrase: question for more than yes or no; number within a run of its function, and whether it ends the run; the
    side (1 or -1) to which this performance turns first."""

    open_question: bool = False
    item: int = 0
    last: bool = True
    side: float = 1.0


Form = Callable[[Place], tuple[Move, ...]]
