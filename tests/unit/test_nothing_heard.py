"""Sound without words is told from speech, and what is said to it varies."""

import pytest

from a2serve.gateway.hearing.nothing_heard import ask_again, holds_words


@pytest.mark.parametrize(
    "transcript", ["", "  ", "...", "?!", "\u266a", "[BLANK_AUDIO]", "(wind blowing)", "*music*", "1.5.5.5.5.5.5.5.5", "you " * 9]
)
def test_no_words(transcript: str) -> None:
    assert not holds_words(transcript)


@pytest.mark.parametrize("transcript", ["Yes.", "no no no", "5", "Привет", "[coughs] hello", "I said no, no, no, no, no, no"])
def test_words(transcript: str) -> None:
    assert holds_words(transcript)


def test_sentences_vary_and_are_never_said_twice_in_a_row() -> None:
    first = {ask_again("I like rain.", f"resp_{n}") for n in range(60)}
    assert len(first) == 6 and ask_again("", "a") == ask_again("", "a")
    for said in first:
        again = {ask_again(said, f"resp_{n}") for n in range(60)}
        assert len(again) == 4 and said not in again
        assert all(len({ask_again(second, f"resp_{n}") for n in range(60)} - {second}) == 3 for second in again)


def test_it_asks_and_claims_nothing() -> None:
    said = {ask_again("", f"{n}") for n in range(60)}
    assert all(sentence.endswith("?") for sentence in said)
