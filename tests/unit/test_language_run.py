"""Conversations are asked in one batch and each goes on with its own responses; the judge of sense prefers what a model was taught."""

import torch
from support.models import tiny

from a2llm.evaluation.language.coherence import Coherence
from a2llm.evaluation.language.questions import Question
from a2llm.evaluation.language.responses import SLOTS, Questioner
from a2llm.evaluation.language.run import Asked, figures_of
from a2llm.language.chat import find_persona

PARTS = tiny.parts("torch")


def test_many_talks_are_asked_at_once_and_one_alone_gets_the_same() -> None:
    talks = [("Hello.", "And now?") if n % 2 else (f"Question {n}.",) for n in range(SLOTS + 3)]
    ticks: list[int] = []
    together = Questioner(PARTS).ask(talks, seed=1, on_response=lambda: ticks.append(1))
    assert len(together) == len(talks) == len(ticks)
    assert [len(last.earlier) for last in together] == [len(talk) - 1 for talk in talks]
    assert Questioner(PARTS).ask(talks[:1], seed=1) == together[:1]
    assert Questioner(PARTS).ask(talks, seed=2) != together


class Parrot:
    """A backbone to which a word is likely if it was in the question."""

    def new_cache(self, rows: int, capacity: int) -> "Parrot":
        return self

    def truncate(self, row: int, length: int) -> None: ...

    def forward(self, ids: torch.Tensor, cache: object, counts: torch.Tensor) -> torch.Tensor:
        seen = torch.zeros(*ids.shape, tiny.VOCABULARY)
        for row in range(len(ids)):
            for at in range(ids.shape[1]):
                seen[row, at:, ids[row, at]] = 5.0
        return seen

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden


def test_what_belongs_to_its_question_is_told_from_what_does_not() -> None:
    judge = Coherence(Parrot(), tiny.tokenizer(), find_persona("ada"))  # pyright: ignore[reportArgumentType]
    questions = [
        f"What about the {thing}?"
        for thing in "garden window teacher holiday kitchen doctor summer picture weather number village bottle".split()
    ]
    fitting = [question.removeprefix("What about the ").rstrip("?").capitalize() + "." for question in questions]
    assert sum(judge.coherent(questions, fitting)) >= 10
    assert sum(judge.coherent(questions, [*fitting[1:], fitting[0]])) <= 5
    assert not any(judge.coherent(questions, [f"{text} {text} and" for text in fitting])), "unfinished and repeated"


def test_figures_are_shares_by_set_and_kind() -> None:
    last = Questioner(PARTS).ask([("Hello.",)])[0]
    asked = [Asked("facts", Question(("?",)), last, right) for right in (True, False)]
    asked += [Asked("multi_turn", Question(("?",), kind=kind), last, kind == "memory") for kind in ("memory", "topic")]
    figures = figures_of(asked)
    assert figures["facts_pct"] == 50.0 and figures["multi_turn_memory_pct"] == 100.0 and figures["multi_turn_topic_pct"] == 0.0
