"""Texts never change sides: renaming keys or moving readers must leave every split as the shipped weights were trained with it.

The digests are of the splits that the shipped weights were trained with. Adding a dialogue changes them; renaming a key must not.
"""

from collections.abc import Iterable
from hashlib import sha256

from a2llm.data.agreement import in_sample
from a2llm.data.annotation import load_annotated
from a2llm.data.dialogues import load_dialogues
from a2llm.data.lines import split_of
from a2llm.data.text import written_samples
from a2llm.evaluation.sentences import held_out_questions
from a2llm.training.backbone import pick_persona


def digest(lines: Iterable[str]) -> str:
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def test_dialogues_stay_on_their_side() -> None:
    lines = (f"{d.held_out} {[(e.user, e.response) for e in d.exchanges]}" for d in load_dialogues())
    assert digest(lines) == "19b203f6a2024491"


def test_held_out_questions_keep_their_order() -> None:
    assert digest(question.text for question in held_out_questions()) == "df415819346c3103"


def test_spoken_lines_stay_in_their_split() -> None:
    texts = (sample.response for sample in written_samples())
    assert digest(f"{split_of(text)} {text}" for text in texts) == "e7d68a50cc7a4600"


def test_dialogues_keep_their_persona() -> None:
    assert digest(pick_persona(dialogue).name for dialogue in load_dialogues()) == "cc3df72a23dc4048"


def test_the_same_dialogues_are_annotated_twice() -> None:
    lines = (f"{in_sample(d)} {[(t.user, t.response) for t in d.turns]}" for d in load_annotated())
    assert digest(lines) == "f1d8d265caa5b7cd"
