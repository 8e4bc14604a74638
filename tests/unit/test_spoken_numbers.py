"""Written figures as words, by their neighbours: what the tables say, and what is not a figure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_numbers import plain_number, speak_figure, speak_unit
from a2llm.language.spoken_tables import UNITS, table
from a2llm.language.spoken_words import needs_next, speak_token, tidy

ALONE = Context()


@pytest.mark.parametrize(
    ("figure", "context", "words"),
    [
        ("42", ALONE, "forty two"),
        ("1,250", ALONE, "one thousand two hundred fifty"),
        ("3.14", ALONE, "three point one four"),
        ("1999", Context("in", ""), "nineteen ninety nine"),
        ("1999", Context("bought", "apples"), "one thousand nine hundred ninety nine"),
        ("$5", ALONE, "five dollars"),
        ("$1", ALONE, "one dollar"),
        ("$2.50", ALONE, "two dollars and fifty cents"),
        ("50%", ALONE, "fifty percent"),
        ("7:30", ALONE, "seven thirty"),
        ("21st", ALONE, "twenty first"),
        ("1990s", ALONE, "nineteen nineties"),
        ("5kg", ALONE, "five kilograms"),
        ("1/2", ALONE, "one half"),
    ],
)
def test_a_figure_is_spoken_by_its_neighbours(figure: str, context: Context, words: str) -> None:
    assert speak_figure(figure, context) == words


def test_what_is_no_figure_is_left_to_others() -> None:
    assert speak_figure("hello", ALONE) is None
    assert speak_figure("1" * 61, ALONE) is None, "patterns would search it for too long"


@pytest.mark.parametrize(
    ("unit", "before", "words"),
    [("kg", "5", "kilograms"), ("kg", "1", "kilogram"), ("million", "$4", "million dollars"), ("L", "2", "liters"), ("m", "3", "meters")],
)
def test_a_unit_behind_a_number_is_written_out(unit: str, before: str, words: str) -> None:
    assert speak_unit(unit, before) == words


@pytest.mark.parametrize(("unit", "before"), [("kg", "the"), ("M", "3"), ("apples", "3")])
def test_a_unit_needs_a_number_and_its_own_case(unit: str, before: str) -> None:
    assert speak_unit(unit, before) is None


def test_signs_are_spoken() -> None:
    assert plain_number("-5") == "minus five" and plain_number("+1.5") == "plus one point five" and plain_number("\u22127") == "minus seven"


def test_a_table_takes_values_of_several_words() -> None:
    assert table("a one; km/h kilometer per hour") == {"a": "one", "km/h": "kilometer per hour"}
    assert UNITS["mph"] == "mile per hour"


TOKENS = [
    ("Dr.", "", "Smith", "Doctor"),
    ("NASA", "", "", "NASA"),
    ("3", "", "kg", "three"),
    ("**bold**", "", "", "bold"),
    ("&", "you", "me", "and"),
]


@pytest.mark.parametrize(("token", "before", "after", "words"), TOKENS)
def test_a_token_is_spoken_between_its_neighbours(token: str, before: str, after: str, words: str) -> None:
    assert speak_token(token, before, after).words == words


def test_a_token_may_have_to_wait_for_the_next_one() -> None:
    assert needs_next("3") and needs_next("Dr.")
    assert not needs_next("hello")


@given(st.text(min_size=1, max_size=30).filter(lambda token: not any(map(str.isspace, token))), st.text(max_size=8), st.text(max_size=8))
def test_any_token_is_speakable(token: str, before: str, after: str) -> None:
    spoken = speak_token(tidy(token), before, after)
    assert not any(char.isdigit() and char.isascii() for char in spoken.words)
