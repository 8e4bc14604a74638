"""The judges: programs with the rule that they follow written down. None of them reads for style."""

import re
from collections.abc import Sequence
from itertools import pairwise

from a2llm.evaluation.language.questions import Question, plain

UNKNOWN = re.compile(
    r"\b(do not|don't|can't|cannot|couldn't|no way (?:to|of)|not able to|unable to|never (?:told|said|mentioned)|haven't|have not|not sure"
    r"|no idea|only you|depends on|nobody (?:can|knows)|no one (?:can|knows)|wish i (?:knew|could))\b"
)
REPEATED_WORDS = 3


def is_right(question: Question, response: str, affect: str = "") -> bool:
    """True if the response holds one of the right word sequences and none of the wrong ones, and has one of the affects, if any is asked
    for. "two & legs": both."""
    said = f" {plain(response)} "

    def holds(words: str) -> bool:
        return all(f" {plain(part)} " in said for part in words.split("&"))

    fits = not question.right or any(map(holds, question.right))
    return fits and not any(map(holds, question.wrong)) and (not question.affect or affect in question.affect)


def declines(response: str) -> bool:
    """True if the response says that something is not known, cannot be seen or was never told."""
    return UNKNOWN.search(plain(response)) is not None


def repeats(response: str) -> bool:
    """True if a run of three words comes twice, a word twice in a row, or both sides of an "and" are the same."""
    words = plain(response).split()
    runs = [tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1)]
    doubled = any(a == b and a not in ("very", "no", "yes", "so", "well", "really", "that", "had", "there") for a, b in pairwise(words))
    return len(set(runs)) < len(runs) or doubled or re.search(r"\b((?:\w+ )?\w+) and \1\b", plain(response)) is not None


def ends_whole(response: str) -> bool:
    """True if the last sentence is finished."""
    return response.rstrip("\"') ").endswith((".", "!", "?"))


def share_pct(marks: Sequence[bool]) -> float:
    """Share of true marks in percent; nan where there is none."""
    return 100.0 * sum(marks) / len(marks) if marks else float("nan")
