"""Figures that are written with spaces: which tokens belong together, so that they are read as one. Speaks nothing."""

import re

from a2llm.language.spoken_codes import Context, grouped, spaced_thousands
from a2llm.language.spoken_tables import CURRENCY, NUM

_MOST_TOKENS = 8
_LONGEST = 48  # characters
_END = r"[.,;:!?\"')\]*_]*"
_MAY_GROW = [  # what has begun like this may go on with the next token
    re.compile(r"\+?\(?\d[\d().-]*(?: \(?\d[\d().-]*)*"),
    re.compile(rf"{CURRENCY}\.?"),
    re.compile(rf"{NUM}(?: (?:ft|feet|foot)(?: {NUM})?)?"),
]
_FOLLOWS = [  # and what it may become; the first group is read as one
    re.compile(rf"(\+?\(?\d[\d().-]*(?: \(?\d[\d().-]*\d\)?)+){_END}"),
    re.compile(rf"(\d+ \d+/\d+){_END}"),
    re.compile(rf"({CURRENCY}\.? {NUM}(?:[-–]{NUM})?){_END}"),
    re.compile(rf"({NUM} {CURRENCY}){_END}"),
    re.compile(rf"({NUM} (?:ft|feet|foot)){_END}"),
    re.compile(rf"({NUM} (?:ft|feet|foot) {NUM}){_END}"),
    re.compile(rf"({NUM} (?:ft|feet|foot) {NUM} in){_END}"),
]


def may_grow(text: str) -> bool:
    """Whether a figure may go on behind `text`, which is one token or several with single spaces."""
    return len(text) <= _LONGEST and text.count(" ") + 1 < _MOST_TOKENS and any(p.fullmatch(text) for p in _MAY_GROW)


def goes_on(text: str, token: str) -> bool:
    """Whether `token` may belong to the figure that `text` begins."""
    joined = f"{text} {token}"
    return may_grow(text) and len(token) <= _LONGEST and any(p.fullmatch(joined) for p in _FOLLOWS)


def is_one(text: str, context: Context) -> bool:
    """Whether tokens with single spaces are one figure: a phone number, a mixed number, a sum of money, feet and inches."""
    plain = re.sub(rf"{_END}$", "", text) if not text.endswith(")") else text.rstrip(".,;:!?")
    if any(p.fullmatch(text) for p in (*_FOLLOWS[1:4], _FOLLOWS[6])):
        return True
    return grouped(plain, context) is not None or spaced_thousands(plain) is not None
