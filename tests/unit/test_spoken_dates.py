"""Dates and times in figures, months and days in their short forms."""

import pytest

from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_dates import month_name, named_span, speak_date, speak_day


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2025-11-09", "November ninth, twenty twenty five"),
        ("2025-11-09T14:30:05+01:00", "November ninth, twenty twenty five, fourteen thirty and five seconds UTC plus one"),
        ("2025-11", "November twenty twenty five"),
        ("2009-10", None),
        ("31.12.1999", "December thirty first, nineteen ninety nine"),
        ("13/13/2024", None),
        ("9:05am", "nine oh five AM"),
        ("9.05", None),
        ("25:00", None),
        ("0:05", "zero oh five"),
    ],
)
def test_dates_and_times(text: str, words: str | None) -> None:
    assert speak_date(text, Context()) == words


def test_a_day_stands_beside_a_month() -> None:
    assert speak_day("5", Context("March")) == "fifth" and speak_day("5", Context("on", "March")) == "the fifth of"
    assert speak_day("5th", Context("the", "May,")) == "fifth of"
    assert speak_day("32", Context("March")) is None and speak_day("5", Context("have", "books")) is None


def test_short_names() -> None:
    assert month_name("Nov", "9th") == "November" and month_name("Mar", "Vista") is None and month_name("May", "") == "May"
    assert named_span("Mon-Fri") == "Monday to Friday" and named_span("Mon-Jan") is None
