"""The calendar: days of the week, months and their lengths, spans of days."""

import random
from collections.abc import Callable

from a2llm.data.sums.sum import Sum, asked, loosely, plural, sentence, words

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = {
    "January": 31,
    "February": 28,
    "March": 31,
    "April": 30,
    "May": 31,
    "June": 30,
    "July": 31,
    "August": 31,
    "September": 30,
    "October": 31,
    "November": 30,
    "December": 31,
}
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_SEASONS = {"spring": ("March", "April", "May"), "summer": ("June", "July", "August"), "autumn": ("September", "October", "November")}


def day(rng: random.Random) -> Sum:
    """The day some days from another, or next to it."""
    at, days = rng.randrange(7), rng.randint(1, 10)
    name = DAYS[at]
    forward = rng.random() < 0.7
    then = DAYS[(at + days) % 7 if forward else (at - days) % 7]
    span = plural(days, "day")
    if days == 1:
        shapes = (
            ("what day comes after {d}?", "what day is after {d}?")
            if forward
            else ("what day comes before {d}?", "what day is before {d}?")
        )
    elif days == 7:
        shapes = ("today is {d}. What day is it in a week?",) if forward else ("today is {d}. What day was it a week ago?",)
    elif forward:
        shapes = ("today is {d}. What day is it in {n}?", "if today is {d}, what day is it in {n}?", "what day is {n} after {d}?")
    else:
        shapes = ("today is {d}. What day was it {n} ago?", "what day was {n} before {d}?")
    question = loosely(rng, sentence(rng.choice(shapes).format(d=name, n=span)))
    key = f"day:{at},{days if forward else -days}"
    return Sum("sum.day", key, question, rng.choice((f"[inform] *{then}*.", f"[inform] That's a *{then}*.")), then)


def tomorrow(rng: random.Random) -> Sum:
    """Yesterday, today and tomorrow."""
    at = rng.randrange(7)
    said, asked_for, step = rng.choice(
        (
            ("today is", "tomorrow", 1),
            ("today is", "the day after tomorrow", 2),
            ("yesterday was", "today", 1),
            ("tomorrow is", "today", -1),
            ("yesterday was", "tomorrow", 2),
            ("tomorrow is", "yesterday", -2),
        )
    )
    verb = "was it" if asked_for == "yesterday" else "is it"
    question = f"{said} {DAYS[at]}. What day {verb} {asked_for}?"
    then = DAYS[(at + step) % 7]
    question = sentence(question)
    return Sum("sum.tomorrow", question, question, f"[inform] *{then}*.", then)


def month(rng: random.Random) -> Sum:
    """The month before, after, or some months on."""
    names = list(MONTHS)
    at, step = rng.randrange(12), rng.choice((-1, 1, 1, 2, 3, 6, -2))
    then = names[(at + step) % 12]
    if step in (1, -1):
        question = f"which month comes {'after' if step == 1 else 'before'} {names[at]}?"
    elif step > 0:
        question = f"it's {names[at]}. Which month is it in {words(step)} months?"
    else:
        question = f"it's {names[at]}. Which month was it {words(-step)} months ago?"
    question = loosely(rng, sentence(question))
    return Sum("sum.month", question, question, f"[inform] *{then}*.", then)


def length(rng: random.Random) -> Sum:
    """How many days a month has."""
    name, days = rng.choice(list(MONTHS.items()))
    question = rng.choice(("how many days does {m} have?", "how many days are in {m}?", "how long is {m}?")).format(m=name)
    if name == "February":
        response, wanted = "[inform] *Twenty-eight*, [inform] and ^twenty-nine^ in a leap year.", "twenty-eight"
    else:
        response, wanted = (
            rng.choice((f"[inform] {name} has *{words(days)}* days.", f"[inform] {sentence(words(days))} days.")),
            words(days),
        )
    question = loosely(rng, sentence(question))
    return Sum("sum.length", question, question, response, wanted)


def number(rng: random.Random) -> Sum:
    """The month of a number, and the number of a month."""
    at = rng.randrange(12)
    name, place = list(MONTHS)[at], _ORDINALS[at]
    if rng.random() < 0.5:
        question, response, wanted = f"what is the {place} month of the year?", f"[inform] *{name}*.", name
    else:
        question, response, wanted = f"which month of the year is {name}?", f"[inform] It's the *{place}* month.", place
    question = loosely(rng, sentence(question))
    return Sum("sum.number", question, question, response, wanted)


def season(rng: random.Random) -> Sum:
    """The season that a month belongs to, north of the equator."""
    name, months = rng.choice(list(_SEASONS.items()))
    at = rng.choice(months)
    question = rng.choice(("what season is {m} in?", "is {m} in {s} or winter?")).format(m=at, s=name)
    said = f"[inform] *{sentence(name)}*, [inform] north of the equator." if rng.random() < 0.3 else f"[inform] *{sentence(name)}*."
    question = loosely(rng, sentence(question))
    return Sum("sum.season", question, question, said, name)


def weeks(rng: random.Random) -> Sum:
    """Weeks and days, years and months."""
    count = rng.randint(2, 12)
    large, small, factor = rng.choice(
        (("week", "days", 7), ("year", "months", 12), ("fortnight", "days", 14), ("decade", "years", 10), ("century", "years", 100))
    )
    many = "centuries" if large == "century" else large + "s"
    if rng.random() < 0.25 and large in ("week", "year"):
        total = factor * count
        question, result = f"how many {many} are {asked(rng, total)} {small}?", count
    else:
        question, result = f"how many {small} are in {asked(rng, count)} {many}?", factor * count
    response = rng.choice((f"[inform] *{words(result)}*.", f"[inform] that's *{words(result)}*."))
    question = loosely(rng, sentence(question))
    return Sum("sum.weeks", question, question, sentence(response), words(result))


def leap(rng: random.Random) -> Sum:
    """Leap years and others."""
    at = rng.choice((*range(1980, 2061), 1900, 2100, 1600))
    is_leap = at % 4 == 0 and (at % 100 != 0 or at % 400 == 0)
    question = rng.choice((f"is {at} a leap year?", f"was {at} a leap year?" if at < 2020 else f"will {at} be a leap year?"))
    verb = "was" if question.startswith("was") else "is"
    response = f"[affirm] Yes, it {verb} a *leap* year." if is_leap else f"[negate] No, {at_words(at)} {verb} *not* a leap year."
    return Sum("sum.leap", f"leap:{at}", sentence(question), response, "yes" if is_leap else "no")


def at_words(year: int) -> str:
    """2023 -> twenty twenty-three, 2004 -> two thousand and four, 1900 -> nineteen hundred"""
    century, rest = divmod(year, 100)
    if 2000 <= year < 2010:
        return words(year)
    if rest == 0:
        return f"{words(century)} hundred"
    return f"{words(century)} {'oh ' if rest < 10 else ''}{words(rest)}"


CALENDAR: dict[str, Callable[[random.Random], Sum]] = {
    "day": day,
    "more_days": day,
    "tomorrow": tomorrow,
    "month": month,
    "length": length,
    "number": number,
    "season": season,
    "weeks": weeks,
    "leap": leap,
}
