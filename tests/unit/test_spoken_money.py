"""Sums of money, with their signs and codes on either side."""

import pytest

from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_money import currency_behind, speak_money
from a2llm.language.spoken_tables import CURRENCIES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("$0", "zero dollars"),
        ("$0.99", "ninety nine cents"),
        ("-€5", "minus five euros"),
        ("£2.01", "two pounds and one penny"),
        ("$1,000.5", "one thousand point five dollars"),
        ("$1.2M–$3M", "one point two to three million dollars"),
        ("$900k-1M", "nine hundred thousand to one million dollars"),
        ("5-10€", "five to ten euros"),
        ("$", None),
        ("five", None),
    ],
)
def test_sums(text: str, words: str | None) -> None:
    assert speak_money(text, Context()) == words


def test_a_million_takes_the_currency() -> None:
    assert speak_money("$4", Context("", "million")) == "four" and currency_behind("million", "$") == "million dollars"
    assert currency_behind("EUR", None) == "euros" and currency_behind("apples", None) is None


@pytest.mark.parametrize("sign", CURRENCIES)
def test_no_currency_is_silent(sign: str) -> None:
    said = speak_money(f"{sign}250", Context()) or ""
    assert said.startswith("two hundred fifty ") and said.replace(" ", "").isalpha()
