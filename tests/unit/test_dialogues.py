"""The dialogues that ship are whole, varied and can be spoken as they stand."""

from collections import Counter
from pathlib import Path

import pytest

from a2llm.affect import AFFECTS, Affect
from a2llm.data.annotation import AnnotatedTurn, parse_response
from a2llm.data.dialogues import Dialogue, load_dialogues, whole_affect
from a2llm.data.facts import read_facts
from a2llm.language.spoken_text import clean_user_text, to_spoken


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    return list(load_dialogues())


def test_every_affect_is_met_on_both_sides(dialogues: list[Dialogue]):
    responses, voices = (Counter(getattr(e, side).category for d in dialogues for e in d.exchanges) for side in ("affect", "voice"))
    assert set(responses) == set(voices) == set(AFFECTS)
    assert min(responses.values()) > 50
    assert all(1 <= len(d.exchanges) <= 6 for d in dialogues)
    assert sum(len(d.exchanges) for d in dialogues) > 45_000


def test_a_tenth_is_held_out_for_ever(dialogues: list[Dialogue]):
    assert 0.06 < sum(d.held_out for d in dialogues) / len(dialogues) < 0.14
    sides: dict[str, set[bool]] = {}
    for dialogue in dialogues:
        sides.setdefault(dialogue.annotated.pair or dialogue.exchanges[0].user.lower(), set()).add(dialogue.held_out)
    assert all(len(side) == 1 for side in sides.values())


def test_responses_can_be_spoken_word_for_word(dialogues: list[Dialogue]):
    changed = [e.response for d in dialogues for e in d.exchanges if to_spoken(e.response) != e.response]
    assert len(changed) <= 0.01 * len(dialogues), changed[:5]
    assert all(len(e.response.split()) <= 60 for d in dialogues for e in d.exchanges)


def test_what_users_say_is_valid_input(dialogues: list[Dialogue]):
    for dialogue in dialogues:
        for exchange in dialogue.exchanges:
            assert clean_user_text(exchange.user) == exchange.user
            assert (exchange.affect.intensity > 0) == (exchange.affect.category != "neutral")


def test_a_response_feels_like_most_of_its_words():
    def turn(response: str) -> Affect:
        return whole_affect(AnnotatedTurn("?", Affect(), parse_response(response)))

    assert turn("[inform] Water boils at a hundred degrees.") == Affect()
    assert turn("[react sadness.6] Oh no. [comfort joy.3] Maybe she comes back home tonight.") == Affect("joy", 0.3)
    assert turn("[empathise sadness.6] That is a hard thing to hear. [wish joy.3] Get well.") == Affect("sadness", 0.6)


def test_facts_have_an_answer_for_every_wording(tmp_path: Path):
    file = tmp_path / "animals.jsonl"
    file.write_text('{"kind": "fact.animals", "ask": ["How many legs has a fly?", "fly legs"], "say": ["[inform] *Six*."]}\n')
    assert [(d.turns[0].user, d.turns[0].response) for d in read_facts(file)] == [
        ("How many legs has a fly?", "Six."),
        ("fly legs", "Six."),
    ]
    file.write_text('{"kind": "fact.animals", "ask": ["?"], "say": []}\n')
    with pytest.raises(ValueError, match=r"animals\.jsonl:1"):
        list(read_facts(file))
