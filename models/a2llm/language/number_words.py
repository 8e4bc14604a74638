"""Numbers as English words, one word at a time (no hyphens). Not a parser: callers know what a number means."""

import re

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ("", "thousand", "million", "billion", "trillion")
_LARGEST = 10**15
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(number: int) -> str:
    """1234 -> one thousand two hundred thirty four; beyond 10^15 digit by digit."""
    if number < 0:
        return f"minus {cardinal(-number)}"
    if number >= _LARGEST:
        return digits(str(number))
    if number == 0:
        return "zero"
    groups: list[str] = []
    for scale in _SCALES:
        number, group = divmod(number, 1000)
        if group:
            groups.insert(0, f"{_below_thousand(group)} {scale}".strip())
    return " ".join(groups)


def ordinal(number: int) -> str:
    """Writes an ordinal number in words: 21 -> twenty first."""
    head, _, last = cardinal(number).rpartition(" ")
    return f"{head} {_ordinal_word(last)}".strip()


def year(number: int) -> str:
    """1999 -> nineteen ninety nine, 2005 -> two thousand five, 1906 -> nineteen oh six, 1900 -> nineteen hundred."""
    century, rest = divmod(number, 100)
    if century % 10 == 0 and rest < 10:
        return cardinal(number)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def decade(number: int) -> str:
    """1990 or 90 -> (nineteen) nineties, 2000 -> two thousands."""
    words = year(number) if number >= 1000 else cardinal(number)
    return f"{words[:-1]}ies" if words.endswith("y") else f"{words}s"


def digits(text: str) -> str:
    """The digits of `text` one by one."""
    return " ".join(_ONES[int(char)] for char in text if char in "0123456789")


def canonical(text: str) -> str:
    """Drops the marks between thousands: 1,234.50 and 1.234,50 -> 1234.50; 2,5 -> 2.5; 1.234.567 -> 1234567."""
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d+,(?:\d{1,2}|\d{4,})", text):
        text = text.replace(".", "").replace(",", ".")
    return text.replace(",", "").replace("'", "")


def decimal(text: str) -> str:
    """`1,234.50` -> one thousand two hundred thirty four point five zero; a leading zero is read digit by digit."""
    whole, point, fraction = canonical(text).partition(".")
    spoken = digits(whole) if whole[:1] == "0" and len(whole) > 1 else _whole(whole)
    return f"{spoken} point {digits(fraction)}" if point else spoken


def fraction(top: int, bottom: int) -> str:
    """Writes a fraction in words: 3/4 -> three quarters."""
    name = {2: "half", 4: "quarter"}.get(bottom) or ordinal(bottom)
    if top == 1:
        return f"one {name}"
    return f"{cardinal(top)} {'halves' if name == 'half' else name + 's'}"


def roman(text: str) -> int | None:
    """The value of a Roman numeral as it is written today: XIV -> 14; None for other letters and for bad forms, such as IIX."""
    pattern = r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})"
    if not text or not re.fullmatch(pattern, text):
        return None
    values = [_ROMAN[letter] for letter in text]
    return sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))


def _whole(text: str) -> str:
    return digits(text) if len(text) > len(str(_LARGEST)) else cardinal(int(text or "0"))


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    words = [f"{_ONES[hundreds]} hundred"] if hundreds else []
    if rest >= 20:
        tens, rest = divmod(rest, 10)
        words.append(_TENS[tens])
    if rest:
        words.append(_ONES[rest])
    return " ".join(words)


def _ordinal_word(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    return f"{word[:-1]}ieth" if word.endswith("y") else f"{word}th"
