"""Numbers that name instead of count: phone numbers, cards, ZIP codes, order numbers, addresses of machines. Read digit by digit."""

import re
from typing import NamedTuple

from a2llm.language.number_words import cardinal, digits
from a2llm.language.spoken_tables import CODE_CUES, CODE_LINKS, COUNTED, MAGNITUDE_WORDS, NOT_COUNTED, STATES

_EMERGENCY = ("911", "999", "112")
_CALLS = ("call", "dial", "phone", "ring", "to")
_GROUPS = re.compile(r"\+?(?:\(\d{1,5}\) ?)?(?:\(0\) ?)?\d+(?:[ .-]\(?\d+\)?\d*)*")
_SPACED_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?: \d{3})+")


class Context(NamedTuple):
    """The raw tokens before and after, "" at the ends of the text; and the sentence's plain words before, in small letters."""

    before: str = ""
    after: str = ""
    recent: tuple[str, ...] = ()


def is_counted(word: str) -> bool:
    """Looks like a plural noun: `1500 people`, `2000 books`."""
    plain = word.rstrip(".,;:!?")
    return plain.isalpha() and plain.islower() and (plain.endswith("s") or plain in COUNTED) and plain not in NOT_COUNTED


def is_code(text: str, context: Context) -> bool:
    """Whether a plain number of ASCII digits is read digit by digit, by itself or by the words around it."""
    if len(text) > 1 and text[0] == "0":
        return True
    if is_counted(context.after) or context.after.lower().rstrip(".,;:!?") in MAGNITUDE_WORDS:
        return False
    before, alone = context.before.strip("*_(\"'"), not (context.before or context.after)
    if text in _EMERGENCY:
        return text == "911" or alone or before.lower() in _CALLS
    if len(text) == 5 and (before.rstrip(",.") in STATES or alone or re.fullmatch(r"[A-Z][a-z]+,", before)):
        return True
    return (len(text) >= 10 and not text.endswith("000")) or (len(text) >= 3 and _is_cued(context))


def _is_cued(context: Context) -> bool:
    for word in reversed(context.recent[-5:]):
        if word in CODE_CUES:
            return True
        if word not in CODE_LINKS:
            return False
    return False


def grouped(text: str, context: Context) -> str | None:
    """Digits in groups, parted by spaces, hyphens, dots or brackets; None when they are no one number."""
    if not _GROUPS.fullmatch(text):
        return None
    groups = re.findall(r"\d+", text)
    lengths = [len(group) for group in groups]
    if not _is_one_number(text, lengths, context):
        return None
    words = ", ".join(digits(group) for group in groups)
    return f"plus {words}" if text[0] == "+" else words


def _is_one_number(text: str, lengths: list[int], context: Context) -> bool:
    total, spaced = sum(lengths), " " in text
    if len(lengths) < 2:
        return (text[0] == "+" and total >= 7) or (text[0] == "(" and total == 3)
    if text[0] == "+" or text[0] == "(":
        return total >= 7
    if lengths in ([3, 4], [3, 3, 4], [4, 4, 4, 4], [4, 6, 5], [1, 3, 3, 4], [3, 2, 4], [5, 4]):
        return not (spaced and lengths in ([3, 4], [5, 4])) or _is_cued(context)
    if "." in text:  # 12.345.678 is a number, 1.2.3 a version
        return total >= 9 and len(lengths) > 3 and min(lengths) > 1
    if (text[0] == "0" and total >= 7) or (_is_cued(context) and total >= 6):
        return True
    years = spaced and all(length == 4 for length in lengths)
    if spaced:
        return total >= 9 and len(lengths) > 2 and min(lengths) > 1 and not years and not _SPACED_THOUSANDS.fullmatch(text)
    return len(lengths) > 2


def spaced_thousands(text: str) -> str | None:
    """10 000 -> 10000; None for numbers that only stand side by side."""
    groups = text.split(" ")
    if not _SPACED_THOUSANDS.fullmatch(text) or (len(groups[0]) == 3 and groups[-1] != "000"):
        return None
    return text.replace(" ", "")


def machine_address(text: str) -> str | None:
    """192.168.0.1, with a port behind a colon or not."""
    address, _, port = text.partition(":")
    parts = address.split(".")
    if len(parts) != 4 or any(not part.isdigit() or int(part) > 255 for part in parts) or (port and not port.isdigit()):
        return None
    words = " dot ".join(digits(part) for part in parts)
    return f"{words}, port {digits(port) if len(port) > 2 else cardinal(int(port))}" if port else words
