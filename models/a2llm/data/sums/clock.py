"""The clock: how late it will be, how long it lasts, and other ways to say a time."""

import random
from collections.abc import Callable

from a2llm.data.sums.sum import Sum, asked, plural, sentence, words

DAY_MINUTES = 24 * 60
_QUARTERS = {15: "quarter past", 30: "half past", 45: "quarter to"}


def spoken(minutes: int) -> str:
    """Minutes since midnight, in steps of five, as people say them: 195 -> quarter past three, 1180 -> twenty to eight."""
    hour, past = divmod(minutes % DAY_MINUTES, 60)
    named = words((hour - 1) % 12 + 1)
    after = words(hour % 12 + 1)
    if past == 0:
        return f"{named} o'clock"
    if past in _QUARTERS:
        return f"{_QUARTERS[past]} {after if past == 45 else named}"
    return f"{words(past)} past {named}" if past < 30 else f"{words(60 - past)} to {after}"


def _typed(rng: random.Random, minutes: int) -> str:
    hour, past = divmod(minutes % (DAY_MINUTES // 2), 60)
    return spoken(minutes) if rng.random() < 0.6 else f"{hour or 12}:{past:02d}"


def _span(minutes: int) -> str:
    """75 -> an hour and fifteen minutes"""
    if minutes == 30:
        return "half an hour"
    hours, rest = divmod(minutes, 60)
    whole = "" if not hours else "an hour" if hours == 1 else f"{words(hours)} hours"
    if rest == 30 and hours > 1:
        return f"{words(hours)} and a half hours"
    return " and ".join(part for part in (whole, plural(rest, "minute") if rest else "") if part)


def later(rng: random.Random) -> Sum:
    """The time after or before a span."""
    now = rng.randrange(0, DAY_MINUTES // 2, rng.choice((15, 30, 60, 5)))
    span = rng.choice((10, 15, 20, 30, 45, 60, 90, 120, 180, 240))
    forward = rng.random() < 0.7
    then = now + span if forward else now - span
    shapes = (
        (
            "it's {now}. What time is it in {span}?",
            "what time is it {span} after {now}?",
            "I start at {now} and it takes {span}. When am I done?",
        )
        if forward
        else ("what time is {span} before {now}?", "I have to be there at {now} and it takes {span}. When should I leave?")
    )
    question = rng.choice(shapes).format(now=_typed(rng, now), span=_span(span))
    end = spoken(then)
    response = rng.choice((f"[inform] at *{end}*.", f"[inform] *{end}*.")) if "I " in question else f"[inform] *{end}*."
    return Sum("sum.clock", f"clock:{now},{span if forward else -span}", sentence(question), sentence(response), end)


def lasts(rng: random.Random) -> Sum:
    """How long from one time to another."""
    start = rng.randrange(6 * 60, 20 * 60, 30)
    span = rng.choice((30, 45, 60, 90, 120, 150, 180, 240, 300))
    question = rng.choice(("how long is it from {a} to {b}?", "it starts at {a} and ends at {b}. How long is that?")).format(
        a=_typed(rng, start), b=_typed(rng, start + span)
    )
    said = _span(span)
    return Sum("sum.lasts", f"lasts:{start % 720},{span}", sentence(question), sentence(f"[inform] *{said}*."), said)


def in_words(rng: random.Random) -> Sum:
    """A time of twenty-four hours as it is said."""
    hour, past = rng.choice((0, *range(5, 13), *range(13, 24), *range(13, 24))), rng.choice((0, 15, 30, 45))
    part = (
        "at night" if hour < 5 or hour >= 22 else "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening"
    )
    said = {0: "midnight", 12 * 60: "noon"}.get(60 * hour + past, f"{spoken(60 * hour + past)} {part}")
    question = rng.choice(("what is {t} on a twelve-hour clock?", "what time is {t}?", "how do you say {t}?")).format(
        t=f"{hour}:{past:02d}"
    )
    return Sum("sum.time", f"time:{hour}:{past}", sentence(question), sentence(f"[inform] *{said}*."), said)


def minutes(rng: random.Random) -> Sum:
    """Hours, minutes and seconds in each other."""
    count = rng.randint(2, 12)
    large, small, factor = rng.choice((("hour", "minutes", 60), ("minute", "seconds", 60), ("day", "hours", 24)))
    if rng.random() < 0.3:
        question, result = f"how many {small} are in half {'an' if large == 'hour' else 'a'} {large}?", factor // 2
    else:
        question, result = f"how many {small} are in {asked(rng, count)} {large}s?", factor * count
    response = rng.choice((f"[inform] *{words(result)}* {small}.", f"[inform] *{words(result)}*."))
    question = sentence(question)
    return Sum("sum.minutes", question, question, sentence(response), words(result))


CLOCK: dict[str, Callable[[random.Random], Sum]] = {"later": later, "lasts": lasts, "in_words": in_words, "minutes": minutes}
