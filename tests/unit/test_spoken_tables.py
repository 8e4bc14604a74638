"""Tables of the vocabulary: whole, and in letters only."""

from a2llm.language.spoken_tables import ATTACHED_UNITS, CURRENCIES, MONTHS, MONTHS_SHORT


def test_every_currency_sign_of_unicode_has_a_name() -> None:
    assert all(chr(code) in CURRENCIES for code in range(0x20A0, 0x20C1)) and CURRENCIES["₾"][0] == "lari"


def test_values_can_be_spoken() -> None:
    names = [*ATTACHED_UNITS.values(), *(name for names in CURRENCIES.values() for name in names)]
    assert all(name.replace(" ", "").isalpha() for name in names if name)
    assert set(MONTHS_SHORT.values()) <= set(MONTHS)
