"""Annotated responses: phrases, functions, affect, stressed words; and the annotated dialogues that ship."""

from collections import Counter, defaultdict

import pytest

from a2llm.affect import Affect
from a2llm.data.annotation import FUNCTIONS, load_annotated, parse_response


def test_a_response_is_read_phrase_by_phrase():
    first, second = parse_response("[empathise sadness.6] Oh no, I'm so *sorry*. [comfort wish joy.3] Maybe she comes ^back tonight^.")
    assert (first.text, first.functions, first.affect) == ("Oh no, I'm so sorry.", ("empathise",), Affect("sadness", 0.6))
    assert (second.text, second.functions) == ("Maybe she comes back tonight.", ("comfort", "wish"))
    assert first.stressed == {4: "emphasis"} and second.stressed == {3: "contrast", 4: "contrast"}


def test_a_mark_inside_a_word_stresses_that_word():
    assert parse_response("[inform] Forty-*five* minutes.")[0].stressed == {0: "emphasis"}
    assert parse_response("[inform] ^Forty^-five *minutes*.")[0].stressed == {0: "contrast", 1: "emphasis"}


def test_without_an_affect_a_phrase_is_neutral():
    assert parse_response("[inform] A week has *seven* days.")[0].affect == Affect()


@pytest.mark.parametrize(
    ("response", "wrong"),
    [
        ("No head.", "begins with"),
        ("[shout joy.5] Hey!", "unknown function 'shout'"),
        ("[greet joy] Hello!", "needs an intensity"),
        ("[greet joy.5]", "without words"),
        ("[inform] A *half mark.", "left over"),
        ("[inform joy.0] No.", "left over|begins with"),
    ],
)
def test_what_is_wrong_is_named(response: str, wrong: str):
    with pytest.raises(ValueError, match=wrong):
        parse_response(response)


def test_the_dialogues_that_ship_are_whole():
    """They parse; responses can be spoken; nothing stands twice; the words of a pair are the same and what they do is not."""
    dialogues = list(load_annotated())
    seen = Counter(tuple((turn.user.lower(), turn.response.lower()) for turn in dialogue.turns) for dialogue in dialogues)
    assert [key for key, count in seen.items() if count > 1] == []
    pairs: dict[str, list] = defaultdict(list)
    for dialogue in dialogues:
        assert dialogue.kind and 1 <= len(dialogue.turns) <= 8
        assert all(2 <= len(turn.response) <= 400 for turn in dialogue.turns), dialogue
        if dialogue.pair:
            pairs[dialogue.pair].append(dialogue.turns[-1])
    for name, turns in pairs.items():
        assert len({turn.response.lower() for turn in turns}) == 1 and len(turns) > 1, name
        assert len({tuple((p.functions, p.affect) for p in turn.phrases) for turn in turns}) == len(turns), name


def test_every_function_is_explained():
    assert all(name.isalpha() and text for name, text in FUNCTIONS.items())
