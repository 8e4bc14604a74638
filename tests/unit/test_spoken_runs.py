"""Tokens that belong to one figure."""

import pytest

from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_runs import goes_on, is_one, may_grow


@pytest.mark.parametrize(
    ("text", "token"),
    [("+44", "20"), ("(030)", "1234567."), ("1", "1/2"), ("USD", "50"), ("50", "USD,"), ("1", "ft"), ("1 ft", "3"), ("1 ft 3", "in")],
)
def test_a_figure_goes_on(text: str, token: str) -> None:
    assert may_grow(text) and goes_on(text, token)


@pytest.mark.parametrize(("text", "token"), [("5", "apples"), ("5,", "6"), ("hello", "5"), ("5", "1/2x"), ("1", "in")])
def test_other_words_end_it(text: str, token: str) -> None:
    assert not goes_on(text, token)


def test_it_is_one_or_several() -> None:
    assert is_one("1 1/2", Context()) and is_one("Rs. 250", Context()) and is_one("1 ft 3 in", Context())
    assert not is_one("5 10 15", Context()) and not is_one("1 ft 3", Context())


def test_a_run_is_bounded() -> None:
    assert not may_grow(" ".join("12345678")) and not may_grow("1" * 60)
