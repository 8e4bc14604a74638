"""Computed exchanges: their answers are right by another reckoning, their words can be spoken, and the held-out tenth stays out."""

import calendar as stdlib_calendar
import random
import re

import pytest

from a2llm.data.annotation import parse_response
from a2llm.data.sums import KINDS, held_out, made_sums, sums
from a2llm.data.sums.arithmetic import ARITHMETIC
from a2llm.data.sums.calendar import MONTHS
from a2llm.data.sums.clock import spoken
from a2llm.data.sums.stories import STORIES
from a2llm.data.sums.sum import words
from a2llm.data.sums.units import UNITS

SIGNS = {"plus": "+", "+": "+", "minus": "-", "-": "-", "less": "-", "times": "*", "x": "*", "divided by": "/", "/": "/"}


def test_numbers_are_written_as_they_are_said() -> None:
    assert [words(n) for n in (0, 7, 21, 100, 105, 342, 1000, 2004, 12_000)] == [
        "zero",
        "seven",
        "twenty-one",
        "one hundred",
        "one hundred and five",
        "three hundred and forty-two",
        "one thousand",
        "two thousand and four",
        "twelve thousand",
    ]


def test_sums_of_digits_are_right() -> None:
    checked = 0
    for found in sums(4000, 3):
        if asked := re.fullmatch(r"(?:[wW]hat's )?(\d+) (\+|-|x|/|plus|minus|less|times|divided by) (\d+)\??", found.question):
            assert words(round(eval(f"{asked[1]} {SIGNS[asked[2]]} {asked[3]}"))) == found.wanted, found
            checked += 1
    assert checked > 30


@pytest.mark.parametrize(
    ("minutes", "said"), [(0, "twelve o'clock"), (195, "quarter past three"), (1180, "twenty to eight"), (775, "five to one")]
)
def test_times_are_said_as_people_say_them(minutes: int, said: str) -> None:
    assert spoken(minutes) == said


def test_the_calendar_is_the_real_one() -> None:
    for at, (name, days) in enumerate(MONTHS.items(), start=1):
        assert (stdlib_calendar.month_name[at], stdlib_calendar.monthrange(2023, at)[1]) == (name, days)
    for found in sums(4000, 5):
        if found.kind == "sum.leap":
            year = int(re.search(r"\d{4}", found.question)[0])
            assert stdlib_calendar.isleap(year) == (found.wanted == "yes"), found


def test_every_kind_comes_and_can_be_spoken() -> None:
    found = list(sums(1200, 0))
    assert len({one.question.lower() for one in found}) == len(found)
    assert {one.kind for one in found} == {KINDS[name](random.Random(0)).kind for name in KINDS}
    for one in found:
        said = " ".join(phrase.text for phrase in parse_response(one.response))
        assert not re.search(r"\d", said) and said[0].isupper() and said[-1] in ".", one
        assert one.wanted in ("yes", "no") or one.wanted.lower() in said.lower(), one


def test_what_is_held_out_never_trains() -> None:
    trained = {dialogue.turns[0].user.lower() for dialogue in made_sums(5000, 0)}
    asked = list(sums(400, 1, of_held_out=True))
    assert len(asked) == 400 and all(held_out(one.key) for one in asked)
    assert not trained & {one.question.lower() for one in asked}


def test_a_seed_fixes_them() -> None:
    assert list(sums(50, 9)) == list(sums(50, 9)) != list(sums(50, 10))


def test_stories_shares_and_units_are_reckoned_right() -> None:
    rng = random.Random(3)
    for _ in range(200):
        left = STORIES["left"](rng)
        a, b = (int(part) for part in left.key.removeprefix("left:").split(","))
        assert left.wanted == words(a - b)
        double = ARITHMETIC["half"](rng)
        name, source = double.key.split(":")
        assert double.wanted == words({"half": int(source) // 2, "double": 2 * int(source), "a quarter": int(source) // 4}[name])
        sides = UNITS["sides"](rng)
        assert sides.wanted in ("three", "four", "five", "six", "seven", "eight") or sides.wanted.endswith(("gle", "gon", "square"))
