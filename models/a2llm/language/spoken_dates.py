"""Dates and times of day -> words. Months are named; where day and month could be either, the month comes first (American)."""

import re

from a2llm.language.number_words import cardinal, ordinal, year
from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_tables import DAYS_SHORT, MONTHS, MONTHS_SHORT

_HALF = r"(?P<half>[aApP]\.?[mM])"
_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,]\d+)?(?P<zone>Z|[+-]\d\d:?(?:\d\d)?)?)?")
_MONTH_FIRST = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})|(\d{1,2})/(\d{1,2})/(\d\d)")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d\d)")
_YEAR_MONTH = re.compile(r"((?:19|20)\d\d)-(0[1-9]|1[0-2])")
_TIME = re.compile(rf"(?P<hour>\d{{1,2}}):(?P<minute>\d\d)(?::(?P<second>\d\d))?{_HALF}?(?P<zone>Z)?")
_DOTTED_TIME = re.compile(rf"(?P<hour>\d{{1,2}})\.(?P<minute>\d\d)(?P<second>){_HALF}?(?P<zone>)")
_HOUR = re.compile(rf"(?P<hour>\d{{1,2}}){_HALF}")


def speak_date(text: str, context: Context) -> str | None:
    """Words for a date or a time of day in figures, or None where it is none."""
    if match := _ISO.fullmatch(text):
        return _iso(match)
    if match := _MONTH_FIRST.fullmatch(text):
        month, day, number = (int(part) for part in match.groups() if part is not None)
        return _date(month, day, number)
    if match := _DAY_FIRST.fullmatch(text):
        return _date(int(match[2]), int(match[1]), int(match[3]))
    if (match := _YEAR_MONTH.fullmatch(text)) and int(match[2]) < int(match[1]) % 100:  # 2009-10 is two years
        return f"{MONTHS[int(match[2]) - 1]} {year(int(match[1]))}"
    if match := _HOUR.fullmatch(text):
        return f"{cardinal(int(match['hour']))} {_half(match['half'])}"
    match = _TIME.fullmatch(text) or _DOTTED_TIME.fullmatch(text)
    return _time(match, context.after.lower().startswith(("am", "pm", "a.m", "p.m"))) if match else None


def speak_day(text: str, context: Context) -> str | None:
    """A number from 1 to 31, or two with a hyphen, beside a month: `March 5`, `5 March`, `March 5-7`. With or without its `th`."""
    days = [int(part) for part in re.findall(r"\d+", text)]
    if not re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)?(?:[-–]\d{1,2}(?:st|nd|rd|th)?)?", text) or not all(1 <= day <= 31 for day in days):
        return None
    words = " to ".join(map(ordinal, days))
    if month_name(context.before.rstrip("."), text):
        return words
    if month_name(context.after.rstrip(".,;:!?"), text):
        article = "" if context.before.lower() == "the" else "the "
        return f"{article}{words.replace(' to ', ' to the ')} of"
    return None


def month_name(word: str, neighbour: str) -> str | None:
    """The month that a word names; a short form, such as Nov, only beside a figure."""
    if word in MONTHS:
        return word
    return MONTHS_SHORT.get(word) if neighbour[:1].isdigit() else None


def named_span(core: str) -> str | None:
    """Mon-Fri, Jan-Mar: from one to the other."""
    ends = re.split("[-–]", core)
    for names in (DAYS_SHORT, MONTHS_SHORT | {"May": "May"}):
        if len(ends) == 2 and all(end in names for end in ends):
            return " to ".join(names[end] for end in ends)
    return None


def _iso(match: re.Match[str]) -> str | None:
    words = _date(int(match[2]), int(match[3]), int(match[1]))
    if not words or not match["time"]:
        return words
    time = _TIME.fullmatch(match["time"])
    clock = _time(time, False) if time else None
    return f"{words}, {clock}{_zone(match['zone'])}" if clock else None


def _zone(zone: str | None) -> str:
    if not zone or zone == "Z":
        return " UTC" if zone else ""
    hours, minutes = int(zone[1:3]), int(zone[3:].lstrip(":") or 0)
    sign = "minus" if zone[0] == "-" else "plus"
    return f" UTC {sign} {cardinal(hours)}{f' {cardinal(minutes)}' if minutes else ''}" if hours or minutes else " UTC"


def _date(month: int, day: int, number: int) -> str | None:
    if month > 12:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return f"{MONTHS[month - 1]} {ordinal(day)}, {year(number + 2000 if number < 100 else number)}"


def _time(match: re.Match[str], half_follows: bool) -> str | None:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    half = _half(match["half"])
    if hour > 24 or minute > 59 or ("." in match[0] and not (half or half_follows)):
        return None
    words = [cardinal(hour)]
    if minute:
        words.append(f"oh {cardinal(minute)}" if minute < 10 else cardinal(minute))
    elif not (half or half_follows):
        words.append("o'clock" if 0 < hour <= 12 else "hundred")
    if second:
        words.append(f"and {cardinal(second)} second{'s' if second > 1 else ''}")
    return " ".join([*words, half, "UTC" if match["zone"] else ""]).strip()


def _half(text: str | None) -> str:
    return (text or "").replace(".", "").upper()
