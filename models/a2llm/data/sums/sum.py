"""One computed exchange, and the words for numbers in it."""

import random
from dataclasses import dataclass
from hashlib import sha256

from a2llm.affect import Affect
from a2llm.data.annotation import AnnotatedDialogue, AnnotatedTurn, parse_response
from a2llm.language.number_words import cardinal

_HELD_OUT_BELOW = 26  # of 256: a tenth


@dataclass(frozen=True)
class Sum:
    """kind: as a dialogue's. wanted: the words that a right response has to hold. response: annotated, see data/annotation.py.
    key: what is held out with it. Of what follows from a rule that is the sum, whatever its wording ("34+28"); of what has to be known
    (the tables, how many feet a yard has) it is the wording, since nobody can work it out."""

    kind: str
    key: str
    question: str
    response: str
    wanted: str


def held_out(key: str) -> bool:
    """Whether a sum is of the tenth that training never sees."""
    return sha256(key.encode()).digest()[0] < _HELD_OUT_BELOW


def dialogue(found: Sum) -> AnnotatedDialogue:
    """The sum as an annotated dialogue of one turn."""
    return AnnotatedDialogue(found.kind, (AnnotatedTurn(found.question, Affect.heard("neutral"), parse_response(found.response)),))


def words(number: int) -> str:
    """42 -> forty-two, 105 -> one hundred and five, as people write and say it."""
    if number < 0:
        return f"minus {words(-number)}"
    head, hundred, rest = cardinal(number).rpartition("hundred ")
    if hundred:
        return f"{head.strip()} hundred and {_hyphened(rest)}"
    thousands, thousand, rest = cardinal(number).rpartition("thousand ")
    if thousand:
        joint = " and " if number % 1000 < 100 else " "
        return f"{_hyphened(thousands.strip())} thousand{joint}{_hyphened(rest)}"
    return _hyphened(cardinal(number))


def _hyphened(spoken: str) -> str:
    """twenty two -> twenty-two"""
    parts = spoken.split()
    out: list[str] = []
    for part in parts:
        out.append(f"{out.pop()}-{part}" if out and out[-1].endswith("ty") and part not in ("hundred", "thousand") else part)
    return " ".join(out)


def asked(rng: random.Random, number: int) -> str:
    """A number as a user writes or says it: two in five times in digits."""
    return str(number) if rng.random() < 0.4 else words(number)


def sentence(text: str) -> str:
    """The text with a capital at its beginning, also behind an annotation's bracket."""
    at = next((i for i, char in enumerate(text) if char.isalpha() and "[" not in text[: i + 1].rsplit("]", 1)[-1]), 0)
    return text[:at] + text[at].upper() + text[at + 1 :]


def plural(count: int, noun: str, many: str = "") -> str:
    """1, "apple" -> one apple; 3, "apple" -> three apples."""
    return f"{words(count)} {noun if count == 1 else many or noun + 's'}"


def loosely(rng: random.Random, question: str) -> str:
    """The question as people type it: now and then without capital and mark, or with a polite word."""
    draw = rng.random()
    if draw < 0.3:
        return question[0].lower() + question[1:].rstrip("?.")
    if draw < 0.4 and question.startswith("What's "):
        return f"Can you tell me {question[0].lower()}{question[1:]}"
    return question
