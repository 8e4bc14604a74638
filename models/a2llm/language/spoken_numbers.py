"""Written figures -> words: money, times, dates, percentages, units, ranges, years. One token at a time.

A rule sees the figure and its neighbours and answers with words, or None when it is not its case. The first
rule that answers wins.
"""

import re
from collections.abc import Callable

from a2llm.language.number_words import cardinal, decade, decimal, digits, fraction, ordinal, year


def table(text: str) -> dict[str, str]:
    """Reads `key value; key value; ...`: a key has no space, a value may have some. Keeps long tables on few lines."""
    return dict(entry.split(maxsplit=1) for entry in " ".join(text.split()).split("; "))


NUM = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
MONTHS = "January February March April May June July August September October November December".split()
_CURRENCIES = {"$": ("dollar", "cent"), "€": ("euro", "cent"), "£": ("pound", "penny"), "¥": ("yen", "sen")}
_MAGNITUDES = table("k thousand; m million; b billion; bn billion; t trillion; tn trillion")
_MAGNITUDE_WORDS = ("hundred", "thousand", "million", "billion", "trillion")
UNITS = table(
    """
    kg kilogram; g gram; mg milligram; km kilometer; m meter; cm centimeter; mm millimeter; mi mile; ft foot; yd yard; lb pound;
    lbs pound; oz ounce; mph mile per hour; km/h kilometer per hour; kmh kilometer per hour; m/s meter per second; ms millisecond;
    sec second; secs second; min minute; mins minute; hr hour; hrs hour; l liter; ml milliliter; tsp teaspoon; tbsp tablespoon;
    kb kilobyte; mb megabyte; gb gigabyte; tb terabyte; hz hertz; khz kilohertz; mhz megahertz; ghz gigahertz; kw kilowatt;
    kwh kilowatt hour; kcal kilocalorie; cal calorie; yrs year; m2 square meter; km2 square kilometer; cm2 square centimeter;
    m3 cubic meter; ft2 square foot; ° degree; °c degree Celsius; °f degree Fahrenheit
    """
)
_ATTACHED_UNITS = UNITS | {"s": "second", "h": "hour", "in": "inch", "w": "watt", "v": "volt"}
_COUNTED = ("people", "men", "women", "children")
_NOT_COUNTED = ("is", "was", "has", "as")
_YEAR_CUES = ("in", "since", "year", "by", "of", "until", "from", "before", "after", "around", *map(str.lower, MONTHS))

_LONGEST = 60  # characters of a figure; patterns would search longer ones for too long

Context = tuple[str, str]  # the raw tokens before and after; "" at the ends of the text
Rule = Callable[[re.Match[str], Context], str | None]


def speak_figure(core: str, context: Context) -> str | None:
    """Words for a token with digits, or None when it is not one of the known forms."""
    if len(core) > _LONGEST:
        return None
    for pattern, rule in _RULES:
        match = pattern.fullmatch(core)
        if match and (words := rule(match, context)) is not None:
            return words
    return None


def speak_unit(core: str, before: str) -> str | None:
    """Words for a unit or magnitude that stands after the number `before`: `kg`, `million` after `$4`."""
    before = before.strip("*_")
    if not re.fullmatch(rf"[(~<>+-]*(?:[$€£¥])?(?:{NUM})", before):
        return None
    if currency := re.search(r"[$€£¥]", before):
        return f"{core} {_CURRENCIES[currency[0]][0]}s" if core.lower() in _MAGNITUDE_WORDS else None
    unit = UNITS.get(core.lower() if len(core) > 1 or core == "L" else core)  # M is not a meter
    return None if unit is None else _counted(unit, before)


def plain_number(text: str) -> str:
    """A number without a unit, sign included."""
    sign = {"-": "minus ", "−": "minus ", "+": "plus "}.get(text[:1], "")
    return sign + decimal(text[1:] if sign else text)


def _number(match: re.Match[str], context: Context) -> str:
    text = match[0]
    if re.fullmatch(r"1[1-9]\d\d|20\d\d", text) and _is_year(*context):
        return year(int(text))
    if _is_day(text, *context):
        return ordinal(int(text))
    return plain_number(text)


def _is_year(before: str, after: str) -> bool:
    if after.rstrip(".,").lower() in UNITS or after[:1] in ("%", "°"):
        return False
    return not _is_counted(after) or before.lower().rstrip(",") in _YEAR_CUES


def _is_counted(word: str) -> bool:
    """Looks like a plural noun: `1500 people`, `2000 books`."""
    plain = word.rstrip(".,;:!?")
    return plain.isalpha() and plain.islower() and (plain.endswith("s") or plain in _COUNTED) and plain not in _NOT_COUNTED


def _is_day(text: str, before: str, after: str) -> bool:
    months = (*MONTHS, "Jan.", "Feb.", "Mar.", "Apr.", "Jun.", "Jul.", "Aug.", "Sept.", "Sep.", "Oct.", "Nov.", "Dec.")
    return before in months and text.isdigit() and 1 <= int(text) <= 31


def _money(match: re.Match[str], context: Context) -> str | None:
    sign = "minus " if match["sign"] == "-" else ""
    unit, cent = _CURRENCIES[match["symbol"]]
    amount, magnitude = match["amount"], (match["magnitude"] or "").lower()
    if magnitude:
        return f"{sign}{decimal(amount)} {_MAGNITUDES[magnitude]} {unit}s"
    if context[1].lower().rstrip(".,;:!?") in _MAGNITUDE_WORDS:
        return sign + decimal(amount)  # the magnitude's token says the currency
    return sign + _coins(amount, unit, cent)


def _coins(amount: str, unit: str, cent: str) -> str:
    whole, _, part = amount.replace(",", "").partition(".")
    if len(part) != 2:
        return f"{decimal(amount)} {_counted(unit, amount)}"
    said = [f"{decimal(whole)} {_counted(unit, whole)}"] if int(whole or 0) or not int(part) else []
    if int(part):
        cents = cent if int(part) == 1 else {"penny": "pence"}.get(cent, f"{cent}s")
        said.append(f"{cardinal(int(part))} {cents}")
    return " and ".join(said)


def _time(match: re.Match[str], context: Context) -> str | None:
    hour, minute = int(match["hour"]), int(match["minute"])
    if hour > 24 or minute > 59:
        return None
    half = _half(match["half"])
    follows = context[1].lower().startswith(("am", "pm", "a.m", "p.m"))
    words = [cardinal(hour)]
    if minute:
        words.append(f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute))
    elif not (half or follows):
        words.append("o'clock" if 0 < hour <= 12 else "hundred")
    if match["second"]:
        words.append(f"and {cardinal(int(match['second']))} seconds")
    return " ".join([*words, half]).strip()


def _half(text: str | None) -> str:
    return (text or "").replace(".", "").upper()


def _date(month: int, day: int, number: int) -> str | None:
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(number + 2000 if number < 100 else number)}"


def _range(match: re.Match[str], context: Context) -> str:
    low, high, unit = match["low"], match["high"], match["unit"]
    if re.fullmatch(r"(1[1-9]|20)\d\d", low) and re.fullmatch(r"\d\d|(1[1-9]|20)\d\d", high) and not unit:
        return f"{year(int(low))} to {year(int(high)) if len(high) == 4 else cardinal(int(high))}"
    said = f"{decimal(low)} to {decimal(high)}"
    if unit == "%":
        return f"{said} percent"
    return f"{said} {_counted(_ATTACHED_UNITS[unit.lower()], high)}" if unit else said


def _fraction(match: re.Match[str], context: Context) -> str:
    top, bottom = int(match[1]), int(match[2])
    if bottom in (2, 3, 4, 5, 6, 8, 16) and 0 < top < bottom:
        words = fraction(top, bottom)
        if context[0].isdigit():  # 1 1/2
            return f"and {words.replace('one half', 'a half').replace('one quarter', 'a quarter')}"
        return words
    joint = " out of " if bottom in (10, 100) or top == bottom <= 10 else " "
    return f"{cardinal(top)}{joint}{cardinal(bottom)}"


def _unit(match: re.Match[str], context: Context) -> str | None:
    unit = _ATTACHED_UNITS.get(match["unit"].lower())
    return None if unit is None else f"{plain_number(match['number'])} {_counted(unit, match['number'])}"


def _counted(unit: str, amount: str) -> str:
    """The unit in the number that goes with `amount`: 1 -> singular."""
    if amount.lstrip("+-$€£¥(~<>") == "1" or unit in ("hertz", "yen") or unit.endswith("hertz"):
        return unit
    head, *rest = unit.split(" ", 1)
    if unit == "kilowatt hour":
        return "kilowatt hours"
    if head in ("square", "cubic"):
        return unit.replace("foot", "feet") if unit.endswith("foot") else f"{unit}s"
    plural = {"foot": "feet", "inch": "inches"}.get(head, f"{head}s")
    return " ".join([plural, *rest])


def _ratio(match: re.Match[str], context: Context) -> str:
    return f"{cardinal(int(match[1]))} to {cardinal(int(match[2]))}"


def _version(match: re.Match[str], context: Context) -> str | None:
    spoken = " point ".join(decimal(part) for part in match["parts"].split("."))
    return f"version {spoken}" if match["v"] else spoken


def _times(match: re.Match[str], context: Context) -> str:
    joint = "by" if match[2] == "x" else "times"
    return f"{plain_number(match[1])} {joint} {plain_number(match[3])}"


def _rules() -> list[tuple[re.Pattern[str], Rule]]:
    """Patterns with their rules; the most specific ones come first."""
    n, sign, money = f"(?:{NUM})", r"(?P<sign>[+\-−]?)", r"(?P<symbol>[$€£¥])"
    magnitude, half = r"(?P<magnitude>[kKmMbBtT]|bn|tn)?", r"(?P<half>[aApP]\.?[mM])"
    units = "|".join(re.escape(unit) for unit in sorted([*_ATTACHED_UNITS, "%"], key=len, reverse=True))
    table: list[tuple[str, Rule]] = [
        (r"(\d{4})-(\d\d)-(\d\d)", lambda m, _: _date(int(m[2]), int(m[3]), int(m[1]))),
        (r"(\d{1,2})/(\d{1,2})/(\d{4}|\d\d)", lambda m, _: _date(int(m[1]), int(m[2]), int(m[3]))),
        (r"\(?(\d{3})[).-]?-?(\d{3})[-.](\d{4})|(\d{3})-(\d{4})", lambda m, _: digits(m[0])),
        (rf"(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d))?{half}?", _time),
        (rf"(?P<hour>\d{{1,2}}){half}", lambda m, _: f"{cardinal(int(m['hour']))} {_half(m['half'])}"),
        (rf"{sign}(?:US|CA|AU)?{money}(?P<amount>{n}){magnitude}", _money),
        (rf"{sign}(?P<amount>{n}){magnitude}{money}", _money),
        (rf"([+\-−]?{n})%", lambda m, _: f"{plain_number(m[1])} percent"),
        (r"(\d[\d,]*)(?:st|nd|rd|th)", lambda m, _: ordinal(int(m[1].replace(",", "")))),
        (r"(\d0|\d{3}0)'?s", lambda m, _: decade(int(m[1]))),
        (rf"(?P<low>{n})[-–](?P<high>{n})(?P<unit>(?i:{units}))?", _range),
        (r"(\d+) (\d)/(\d)", lambda m, _: f"{plain_number(m[1])} and {fraction(int(m[2]), int(m[3]))}"),
        (r"(\d{1,4})/(\d{1,4})", _fraction),
        (r"(\d{1,3}):(\d{1,3})", _ratio),
        (rf"([+\-−]?{n})([x×*])({n})", _times),
        (rf"({n})[x×]", lambda m, _: f"{plain_number(m[1])} times"),
        (r"(?P<v>[vV])(?P<parts>\d+(?:\.\d+)*)", _version),
        (r"(?P<v>)(?P<parts>\d+(?:\.\d+){2,})", _version),
        (r"#(\d+)", lambda m, _: f"number {plain_number(m[1])}"),
        (rf"[+\-−]?{n}", _number),
        (rf"(?P<number>[+\-−]?{n})-?(?P<unit>(?i:{units}))", _unit),
    ]
    return [(re.compile(pattern), rule) for pattern, rule in table]


_RULES = _rules()
