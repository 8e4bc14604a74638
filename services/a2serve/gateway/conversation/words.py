"""Words on the clock of the audio: how much of a response was heard."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """Text that begins at `start_ms` of its item's audio; may be several words of one packet."""

    start_ms: float
    text: str


def joined(words: list[Word]) -> str:
    """Joins words to a transcript."""
    return " ".join(word.text for word in words)


def heard(words: list[Word], end_ms: float) -> list[Word]:
    """Words that began before `end_ms`: a listener who heard the beginning of a word heard the word."""
    return [word for word in words if word.start_ms < end_ms]
