"""Word errors: what the normaliser forgives and what it does not."""

import pytest

from a2llm.evaluation.wer import normalise, whisper_normalise, word_errors

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Roughly eighty percent, isn't it?", "roughly 80% is not it"),
        ("It came out in nineteen thirty one.", "It came out in 1931."),
        ("In the nineteen sixties.", "in the 1960s"),
        ("I can't, I cannot, I won't!", "I can not I can't I will not"),
        ("That's okay, let's go.", "That is OK. Let us go"),
        ("One hundred and five people", "105 people"),
        ("A snake plant or a Z Z plant", "a snake plant or a ZZ plant"),
        ("A well-known man", "a well known man"),
        ("It’s five dollars", "It's $5"),
        ("twelve thousand people", "12,000 people"),
    ],
)
def test_how_a_word_is_written_does_not_matter(said: str, heard: str):
    assert normalise(said) == normalise(heard)


@pytest.mark.parametrize(
    ("said", "heard", "errors"),
    [
        ("their coat", "there coat", 1),
        ("the colour", "the color", 1),
        ("the dog's bone", "the dog bone", 1),
        ("no words", "", 2),
        ("well", "well well well", 2),
        ("one two three four", "two three four five", 2),
        ("a b c d".replace(" ", " x "), "a b c d".replace(" ", " x "), 0),
    ],
)
def test_another_word_is_an_error(said: str, heard: str, errors: int):
    assert word_errors(normalise(said), normalise(heard)) == errors


def test_errors_are_symmetric_and_bounded():
    a, b = "the cat sat on the mat today".split(), "a cat on a mat".split()
    assert word_errors(a, b) == word_errors(b, a) == 4
    assert word_errors([], b) == len(b)


@pytest.mark.parametrize(
    ("said", "heard"),
    [("The colour is grey.", "the color is gray"), ("Um, twenty one people", "21 people"), ("Mr. Smith won't", "mister smith will not")],
)
def test_whispers_normaliser_forgives_more(said: str, heard: str):
    assert whisper_normalise(said) == whisper_normalise(heard)
    assert word_errors(whisper_normalise(said), whisper_normalise("nothing of that")) > 0
