"""Written figures -> words: counts, years, percentages, units, ranges, fractions. One figure at a time.

A rule sees the figure and its neighbours and answers with words, or None when it is not its case. The first
rule that answers wins. Money, dates and codes have modules of their own.
"""

import re
from collections.abc import Callable

from a2llm.language.number_words import cardinal, decade, decimal, digits, fraction, ordinal, year
from a2llm.language.spoken_codes import Context, grouped, is_code, is_counted, machine_address, spaced_thousands
from a2llm.language.spoken_dates import speak_date, speak_day
from a2llm.language.spoken_money import currency_behind, speak_money
from a2llm.language.spoken_tables import (
    ATTACHED_UNITS,
    CASED_UNITS,
    COMPASS,
    COUNTED,
    CURRENCY,
    MAGNITUDE_WORDS,
    MAGNITUDES,
    NUM,
    UNITS,
    VERSIONED,
    YEAR_CUES,
)

ALONE = Context()
_LONGEST = 60  # characters of a figure; patterns would search longer ones for too long
_SIGNS = {"-": "minus ", "−": "minus ", "–": "minus ", "+": "plus ", "±": "plus or minus "}
_COMPARED = {"≥": "at least", "≤": "at most", "<": "less than", ">": "more than", "~": "about", "≈": "about", "=": "equals"}
_COMPARED |= {"+-": "plus or minus", "+/-": "plus or minus", "+−": "plus or minus"}
_AMOUNT = rf"{NUM}|{NUM}[-–]{NUM}|\d+ \d+/\d+|\d+/\d+"
_YEAR = "1[1-9]\\d\\d|20\\d\\d"

Rule = Callable[[re.Match[str], Context], str | None]


def speak_figure(core: str, context: Context) -> str | None:
    """Words for a token with digits, or for several that are one figure; None when it is not one of the known forms."""
    if len(core) > _LONGEST:
        return None
    for speak in (speak_date, speak_day, speak_money, grouped, _by_rules, _compared, _rate):
        if words := speak(core, context):
            return words
    return None


def speak_unit(core: str, before: str) -> str | None:
    """Words for a unit, a magnitude or a currency that stands after the number `before`: `kg`, `million` after `$4`."""
    before = before.strip("*_")
    if core in ("am", "pm") and before[-1:].isdigit():
        return core.upper()
    if re.search(r"\d°$", before) or before.lower() in ("°", "degree", "degrees"):
        return COMPASS.get(core)
    if before.lower() in MAGNITUDE_WORDS:
        return currency_behind(core, None)
    match = re.fullmatch(rf"[(~<>+\-−–±≥≤≈/]*(?P<sign>{CURRENCY})? ?(?P<amount>{_AMOUNT})", before)
    if not match:
        return None
    if (words := currency_behind(core, match["sign"])) or match["sign"]:
        return words
    thing, slash, per = core.partition("/")
    if slash and core not in UNITS and (named := ATTACHED_UNITS.get(per.lower())):
        return f"{speak_unit(thing, before) or thing} per {named}" if thing.isalpha() else None
    unit = CASED_UNITS.get(core) or (UNITS.get(core.lower()) if len(core) > 1 or core.islower() or core == "°" else None)
    return _counted(unit, match["amount"]) if unit else None


def plain_number(text: str) -> str:
    """A number without a unit, sign included."""
    sign = _SIGNS.get(text[:1], "")
    return sign + decimal(text[1:] if sign else text)


def _by_rules(core: str, context: Context) -> str | None:
    for pattern, rule in _RULES:
        match = pattern.fullmatch(core)
        if match and (words := rule(match, context)) is not None:
            return words
    return None


def _compared(core: str, context: Context) -> str | None:
    """A figure behind a sign that compares or bounds: ≥18, <5kg, +-3."""
    for sign, words in sorted(_COMPARED.items(), key=lambda entry: -len(entry[0])):
        if core.startswith(sign) and core[len(sign) :][:1] not in _COMPARED and (said := speak_figure(core[len(sign) :], context)):
            return f"{words} {said}"
    return None


def _rate(core: str, context: Context) -> str | None:
    """A figure per something: $5/hr, 60/min, 10/day."""
    figure, _, per = core.rpartition("/")
    unit = ATTACHED_UNITS.get(per.lower()) or (per if len(per) > 2 and per.isalpha() and per.islower() else None)
    said = speak_figure(figure, Context(context.before, per)) if figure and unit else None
    return f"{said} per {unit}" if said else None


def _number(match: re.Match[str], context: Context) -> str:
    text = match[0]
    if text.isdigit() and is_code(text, context):
        return digits(text)
    if text.isdigit() and _is_year(text, context):
        return year(int(text))
    if context.before.lower() in VERSIONED and text.count(".") == 1 and text[0] != ".":
        return " point ".join(cardinal(int(part)) for part in text.split("."))
    return plain_number(text)


def _is_year(text: str, context: Context) -> bool:
    after, before = context.after, context.before.lower().rstrip(",")
    if after.rstrip(".,").lower() in (*UNITS, *MAGNITUDE_WORDS) or after[:1] in ("%", "°"):
        return False
    if re.fullmatch(r"10\d\d|21\d\d", text):
        return before in ("in", "since", "year", "until") and not is_counted(after)
    return re.fullmatch(_YEAR, text) is not None and (not is_counted(after) or before in YEAR_CUES)


def _range(match: re.Match[str], context: Context) -> str:
    low, high, unit = match["low"], match["high"], match["unit"]
    if re.fullmatch(_YEAR, low) and re.fullmatch(rf"\d\d|{_YEAR}", high) and not unit:
        return f"{year(int(low))} to {year(int(high)) if len(high) == 4 else cardinal(int(high))}"
    said = f"{plain_number(low)} to {plain_number(high)}"
    if not unit:
        return said
    return f"{said} {'percent' if unit == '%' else _counted(_attached(unit) or unit, high)}"


def _fraction(match: re.Match[str], context: Context) -> str:
    top, bottom = int(match[1]), int(match[2])
    if bottom in (2, 3, 4, 5, 6, 7, 8, 9, 16) and 0 < top < bottom and (top, bottom) != (7, 9):
        return fraction(top, bottom)
    joint = " out of " if bottom in (10, 100) or top == bottom <= 10 else " "
    return f"{cardinal(top)}{joint}{cardinal(bottom)}"


def _mixed(match: re.Match[str], context: Context) -> str:
    """1 1/2: one and a half."""
    part = fraction(int(match[2]), int(match[3])).replace("one half", "a half").replace("one quarter", "a quarter")
    return f"{plain_number(match[1])} and {part}" + (f" {_counted(unit, '2')}" if (unit := _attached(match["unit"])) else "")


def _unit(match: re.Match[str], context: Context) -> str | None:
    unit = _attached(match["unit"])
    if match["unit"] == "m" and re.fullmatch(r"\d+h(?:rs?)?|hours?", context.before):
        unit = "minute"
    if match["unit"] == "m" and context.after in COUNTED:
        return f"{plain_number(match['number'])} million"
    amount = "1" if match["hyphen"] else match["number"]  # a 10-kg bag
    return None if unit is None else f"{plain_number(match['number'])} {_counted(unit, amount)}"


def _attached(unit: str | None) -> str | None:
    """A unit that is written at its number. A single capital is none but for a few: 5G, 4K, 3D."""
    if not unit:
        return None
    return CASED_UNITS.get(unit) if len(unit) == 1 and unit.isupper() else ATTACHED_UNITS.get(unit.lower())


def _counted(unit: str, amount: str) -> str:
    """The unit in the number that goes with `amount`: 1 -> singular."""
    if amount.lstrip("+-−–±(~<>") == "1" or re.fullmatch(r"1/\d+", amount) or unit.endswith("hertz") or unit in ("psi", "rpm", "dpi"):
        return unit
    if re.fullmatch(r"\d+/\d+", amount):  # three quarters of a teaspoon
        return f"of {'an' if unit[0] in 'aiou' or unit == 'hour' else 'a'} {unit}"
    head, *rest = unit.split(" ", 1)
    if unit == "kilowatt hour":
        return "kilowatt hours"
    if head in ("square", "cubic"):
        return unit.replace("foot", "feet") if unit.endswith("foot") else f"{unit}s"
    plural = {"foot": "feet", "inch": "inches"}.get(head, f"{head}s")
    return " ".join([plural, *rest])


def _feet(match: re.Match[str], context: Context) -> str:
    return f"{decimal(match[1])} {_counted('foot', match[1])} {decimal(match[2])} {_counted('inch', match[2])}"


def _magnitude(match: re.Match[str], context: Context) -> str | None:
    """2k users, 1.5M followers. Not: a 4K picture, apartment 3B."""
    number, letter = match[1], match[2]
    sure = "." in number or len(letter) == 2 or is_counted(context.after)
    if (number in ("4", "8") and letter == "K") or not (sure or letter in "kK"):
        return None
    return f"{plain_number(number)} {MAGNITUDES[letter.lower()]}"


def _hours(match: re.Match[str], context: Context) -> str:
    minutes = f" {cardinal(int(match[2]))}" if int(match[2]) else ""
    return f"{cardinal(int(match[1]))} {_counted('hour', match[1])}{minutes}"


def _many(match: re.Match[str], context: Context) -> str | None:
    """100s of people."""
    names = {1: "tens", 2: "hundreds", 3: "thousands", 6: "millions"}
    return names.get(len(match[2])) if context.after == "of" else None


def _version(match: re.Match[str], context: Context) -> str | None:
    spoken = " point ".join(decimal(part) for part in match["parts"].split("."))
    return f"version {spoken}" if match["v"] else spoken


def _times(match: re.Match[str], context: Context) -> str:
    joint = "times" if match[2] == "*" else "by"
    return f"{plain_number(match[1])} {joint} {plain_number(match[3])}"


def _hash(match: re.Match[str], context: Context) -> str:
    return f"number {digits(match[1]) if len(match[1]) > 4 else plain_number(match[1])}"


def _rules() -> list[tuple[re.Pattern[str], Rule]]:
    """Patterns with their rules; the most specific ones come first."""
    n, signed = NUM, rf"[+\-−–±]?{NUM}"
    units = "|".join(re.escape(unit) for unit in sorted([*ATTACHED_UNITS, "%"], key=len, reverse=True))
    rules: list[tuple[str, Rule]] = [
        (r"[\d.]+(?::\d+)?", lambda m, _: machine_address(m[0])),
        (rf"({signed})%", lambda m, _: f"{plain_number(m[1])} percent"),
        (r"(\d[\d,]*)(?i:st|nd|rd|th)", lambda m, _: ordinal(int(m[1].replace(",", "")))),
        (r"(1)(0+)s", _many),
        (r"(\d0|\d{3}0)'?s", lambda m, _: decade(int(m[1]))),
        (r"[\d ]+", lambda m, _: plain_number(joined) if (joined := spaced_thousands(m[0])) else None),
        (rf"(?P<low>[-−–]{n})[-–](?P<high>[-−]{n})(?P<unit>(?i:{units}))?", _range),
        (rf"(?P<low>{signed})(?:--|[-–])(?P<high>{n})(?P<unit>(?i:{units}))?", _range),
        (rf"(\d+)[ -]([1-9]\d?)/([1-9]\d?)(?P<unit>(?i:{units}))?", _mixed),
        (r"(\d{1,4})/(\d{1,4})(?:rds?|ths?|nds?)?", _fraction),
        (r"\d{1,4}(?::\d{1,4})+", lambda m, _: " to ".join(cardinal(int(part)) for part in m[0].split(":"))),
        (r"(\d{1,2})h(\d\d)(?:m|min)?", _hours),
        (rf"({n}) (?:ft|feet|foot) ({n}) in", _feet),
        (r"(\d{1,2})'(\d{1,2})\"?", lambda m, _: f"{cardinal(int(m[1]))} foot {cardinal(int(m[2]))}"),
        (rf"({signed})([x×*])({n})", _times),
        (rf"({n})[x×]", lambda m, _: f"{plain_number(m[1])} times"),
        (r"(?P<v>[vV])(?P<parts>\d+(?:\.\d+)*)", _version),
        (signed, _number),
        (r"(?P<v>)(?P<parts>\d+(?:\.\d+){2,})", _version),
        (r"#(\d+)", _hash),
        (rf"(?P<number>{signed})(?P<hyphen>-?)(?P<unit>(?i:{units}))", _unit),
        (rf"({signed})°([NSEWCF])", lambda m, _: f"{plain_number(m[1])} {_counted('degree', m[1])} {COMPASS[m[2]]}"),
        (rf"({signed})([kKMB]|bn|mn|tn)", _magnitude),
    ]
    return [(re.compile(pattern), rule) for pattern, rule in rules]


_RULES = _rules()
