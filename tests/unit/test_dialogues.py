"""The dialogues that ship are whole, varied and can be spoken as they stand."""

from collections import Counter

import pytest

from a2llm.affect import AFFECTS
from a2llm.data.dialogues import Dialogue, load_dialogues
from a2llm.language.spoken_text import clean_user_text, to_spoken


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    return list(load_dialogues())


def test_every_affect_is_met_on_both_sides(dialogues: list[Dialogue]):
    responses, voices = (Counter(getattr(e, side).category for d in dialogues for e in d.exchanges) for side in ("affect", "voice"))
    assert set(responses) == set(voices) == set(AFFECTS)
    assert min(responses.values()) > 50
    assert all(1 <= len(d.exchanges) <= 3 for d in dialogues)


def test_a_tenth_is_held_out_for_ever(dialogues: list[Dialogue]):
    assert 0.06 < sum(d.held_out for d in dialogues) / len(dialogues) < 0.14
    sides: dict[str, set[bool]] = {}
    for dialogue in dialogues:
        sides.setdefault(dialogue.exchanges[0].user.lower(), set()).add(dialogue.held_out)
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
