"""Texts never change sides: what was held out stays so, whatever is renamed, moved or added."""

from a2llm.affect import Affect
from a2llm.data.agreement import in_sample
from a2llm.data.annotation import AnnotatedDialogue, AnnotatedTurn, parse_response
from a2llm.data.dialogues import Dialogue
from a2llm.data.lines import split_of
from a2llm.training.backbone import pick_persona

LINES = (
    "hello there",
    "I got the job!",
    "My dog ran away.",
    "what's the capital of france",
    "I'm so bored",
    "tell me a joke",
    "ok",
    "no way!",
)
HELD_OUT = ["line 2", "line 15", "line 43", "line 54", "line 59"]
SPOKEN_HELD_OUT = [19, 43, 46, 48, 117]
PERSONAS = ["max", "ada", "desk", "ada", "desk", "ada", "ada", "ada"]
SAMPLED = [0, 3, 21, 26, 32, 44, 49, 57, 67]


def dialogue(line: str, pair: str = "") -> Dialogue:
    return Dialogue(AnnotatedDialogue("chat", (AnnotatedTurn(line, Affect(), parse_response(f"[inform] So you say, {line}.")),), pair))


def test_dialogues_stay_on_their_side() -> None:
    assert [line for line in (f"line {n}" for n in range(60)) if dialogue(line).held_out] == HELD_OUT
    assert dialogue("LINE 7").held_out == dialogue("line 7").held_out


def test_a_pair_stays_together() -> None:
    for name in ("great-1", "oh-no-1", "really-2"):
        assert len({dialogue(line, name).held_out for line in LINES}) == 1
    assert {dialogue("line", f"pair-{n}").held_out for n in range(60)} == {True, False}


def test_spoken_lines_stay_in_their_split() -> None:
    assert [n for n in range(120) if split_of(f"Sentence {n}.") == "held_out"] == SPOKEN_HELD_OUT


def test_dialogues_keep_their_persona() -> None:
    assert [pick_persona(dialogue(line)).name for line in LINES] == PERSONAS


def test_the_same_dialogues_are_annotated_twice() -> None:
    assert [n for n in range(80) if in_sample(dialogue(f"line {n}").annotated)] == SAMPLED
