"""Mixed tokens, piece by piece, and addresses."""

import pytest

from a2llm.language.spoken_pieces import speak_address, speak_pieces


@pytest.mark.parametrize(
    ("core", "words"),
    [
        ("COVID-19", "COVID nineteen"),
        ("(2+3)*4", "two plus three times four"),
        ("7-3=4", "seven minus three equals four"),
        ("10^-3", "ten to the minus three"),
        ("he/she", "he or she"),
        ("#mp3", "hashtag mp three"),
        ("#A-102", "number A one hundred two"),
        ("SKU-00123-A", "SKU zero zero one two three A"),
        ("mid-1990s", "mid nineteen nineties"),
    ],
)
def test_pieces(core: str, words: str) -> None:
    assert speak_pieces(core, "", "") == words


def test_addresses() -> None:
    assert speak_address("bob@a.co.uk") == "bob at a dot co dot uk" and speak_address("https://www.example.com/a?b=1") == "example dot com"
    assert speak_address("notes.txt") == "notes dot txt" and speak_address("hello") is None
