import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2llm.language.number_words import cardinal, decade, decimal, digits, fraction, ordinal, year


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (99, "ninety nine"),
        (100, "one hundred"),
        (1_001, "one thousand one"),
        (-7, "minus seven"),
        (2_000_000, "two million"),
        (1_234_567, "one million two hundred thirty four thousand five hundred sixty seven"),
        (10**15, "one" + " zero" * 15),
    ],
)
def test_cardinal(number: int, words: str) -> None:
    assert cardinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "first"), (12, "twelfth"), (20, "twentieth"), (21, "twenty first"), (100, "one hundredth"), (3, "third")],
)
def test_ordinal(number: int, words: str) -> None:
    assert ordinal(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (1999, "nineteen ninety nine"),
        (1906, "nineteen oh six"),
        (1900, "nineteen hundred"),
        (2000, "two thousand"),
        (2005, "two thousand five"),
        (2010, "twenty ten"),
        (2024, "twenty twenty four"),
    ],
)
def test_year(number: int, words: str) -> None:
    assert year(number) == words


def test_the_rest() -> None:
    assert decade(1990) == "nineteen nineties" and decade(2000) == "two thousands" and decade(80) == "eighties"
    assert decimal("1,234.50") == "one thousand two hundred thirty four point five zero"
    assert decimal("007") == "zero zero seven" and decimal(".5") == "zero point five" and decimal("0.5") == "zero point five"
    assert digits("555-12") == "five five five one two"
    assert fraction(1, 2) == "one half" and fraction(3, 4) == "three quarters" and fraction(2, 3) == "two thirds"


@given(st.integers(0, 10**15 - 1))
def test_numbers_are_told_apart(number: int) -> None:
    assert cardinal(number) != cardinal(number + 1)
    assert cardinal(number).replace(" ", "").isalpha()
