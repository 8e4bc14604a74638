"""The rules that judge responses find what is right and what is not, and no question of a set stands in the training data."""

import pytest

from a2llm.data.dialogues import load_dialogues
from a2llm.evaluation.language.questions import SETS, Question, arithmetic, held_out_lines, plain, question_set
from a2llm.evaluation.language.rules import declines, ends_whole, is_right, repeats, share_pct


@pytest.mark.parametrize(
    ("right", "wrong", "response", "verdict"),
    [
        (("eight",), (), "A spider has eight legs.", True),
        (("eight",), (), "It has eighteen.", False),
        (("fifty six",), (), "That's fifty-six.", True),
        (("blue & yellow",), (), "You mix blue with yellow.", True),
        (("blue & yellow",), (), "You need blue.", False),
        (("canberra",), ("sydney",), "Canberra, not Sydney.", False),
        ((), ("chicken",), "Try a mushroom risotto.", True),
    ],
)
def test_an_answer_is_right_if_it_holds_the_words(right: tuple[str, ...], wrong: tuple[str, ...], response: str, verdict: bool) -> None:
    assert is_right(Question(("?",), right, wrong), response) is verdict


def test_an_affect_can_be_asked_for() -> None:
    glad = Question(("I won!",), affect=("joy", "surprise"))
    assert is_right(glad, "Congratulations!", "joy") and not is_right(glad, "I'm so sorry.", "sadness")


@pytest.mark.parametrize(
    "response", ["I can't see the weather from here.", "You never told me her name.", "I don't know yet.", "There's no way to know."]
)
def test_what_is_not_known_is_declined(response: str) -> None:
    assert declines(response)


@pytest.mark.parametrize("response", ["It's sunny and warm.", "Her name is Anna.", "About twenty people.", "It went well!"])
def test_what_is_made_up_declines_nothing(response: str) -> None:
    assert not declines(response)


def test_repetition_is_heard() -> None:
    assert (
        repeats("I'm Ada, a friendly avatar with a face and a face.")
        and repeats("I am so sorry. I am so sorry.")
        and repeats("It is is good.")
    )
    assert not repeats("That was a very, very good day, and it is only Monday.")
    assert ends_whole('She said "yes."') and not ends_whole("And then the")


def test_a_share_of_nothing_is_no_number() -> None:
    assert share_pct([True, False]) == 50.0 and share_pct([]) != share_pct([])


def test_sets_are_whole() -> None:
    for name in SETS:
        asked = [question.turns for question in question_set(name)]
        assert len(asked) >= 40 and len(set(asked)) == len(asked)
    assert len(question_set("facts")) >= 200 and len(question_set("multi_turn")) >= 60
    assert all(q.right or q.wrong or q.affect for name in ("facts", "multi_turn") for q in question_set(name))
    assert all(question.right for question in arithmetic(50))
    with pytest.raises(ValueError, match="turns"):
        Question(("",))


def test_no_question_of_a_set_is_in_the_training_data() -> None:
    asked = set(held_out_lines())
    assert not [e.user for dialogue in load_dialogues() for e in dialogue.exchanges if plain(e.user) in asked]
