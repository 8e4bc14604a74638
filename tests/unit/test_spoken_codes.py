"""Numbers that name: their groups, and the words around them that make them so."""

import pytest

from a2llm.language.spoken_codes import Context, grouped, is_code, is_counted, machine_address, spaced_thousands


@pytest.mark.parametrize(
    ("text", "context", "code"),
    [
        ("007", Context(), True),
        ("12345678", Context("number", "", ("order", "number")), True),
        ("12345678", Context("have", "users", ("we", "have")), False),
        ("482913", Context("is", "", ("code", "is")), True),
        ("200", Context("order", "chairs", ("order",)), False),
        ("42", Context("is", "", ("code", "is")), False),
        ("90210", Context("CA"), True),
        ("90210", Context("about", "of"), False),
        ("911", Context("call"), True),
        ("999", Context("costs", "now"), False),
    ],
)
def test_a_number_is_a_code_by_its_neighbours(text: str, context: Context, code: bool) -> None:
    assert is_code(text, context) is code


def test_groups_are_one_number_or_none() -> None:
    assert grouped("+1 55", Context()) is None and grouped("12 34", Context()) is None
    assert grouped("2019 2020 2021", Context()) is None, "years"
    assert grouped("020 7946 0123", Context()) == "zero two zero, seven nine four six, zero one two three"
    assert grouped("555 1234", Context("at", "", ("call", "at"))) == "five five five, one two three four"
    assert grouped("555 1234", Context()) is None


def test_thousands_may_be_parted_by_spaces() -> None:
    assert spaced_thousands("10 000") == "10000" and spaced_thousands("1 234 567") == "1234567"
    assert spaced_thousands("101 102 103") is None and spaced_thousands("1 23") is None


def test_addresses_of_machines_have_four_bytes() -> None:
    assert machine_address("10.0.0.1") == "one zero dot zero dot zero dot one"
    assert machine_address("10.0.0.1:80") == "one zero dot zero dot zero dot one, port eighty"
    assert machine_address("1.2.3") is None and machine_address("300.1.1.1") is None


def test_plurals_are_counted() -> None:
    assert is_counted("books,") and is_counted("people") and not is_counted("is") and not is_counted("Paris") and not is_counted("")
