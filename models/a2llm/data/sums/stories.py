"""Sums in small stories: what is left, what comes together, what it costs, who gets how many, how old."""

import random
from collections.abc import Callable

from a2llm.data.sums.sum import Sum, asked, plural, sentence, words

_THINGS = (
    ("apple", "apples"),
    ("egg", "eggs"),
    ("biscuit", "biscuits"),
    ("book", "books"),
    ("pencil", "pencils"),
    ("stamp", "stamps"),
    ("ticket", "tickets"),
    ("sandwich", "sandwiches"),
    ("candle", "candles"),
    ("orange", "oranges"),
    ("marble", "marbles"),
    ("chair", "chairs"),
)
_GIVEN = ("I eat {b}", "I give away {b}", "I lose {b}", "my brother takes {b}", "{b} of them are gone", "I use {b}", "I sell {b}")
_GOTTEN = ("I buy {b} more", "I get {b} more", "my friend gives me {b}", "I find another {b}", "somebody brings {b} more")
_GUESTS = ("children", "friends", "people", "cousins", "neighbours")
_COSTS = ("a coffee", "a ticket", "a loaf", "a notebook", "a cake", "a plant", "a sandwich", "a lamp")


def left(rng: random.Random) -> Sum:
    """Some things, and some of them go."""
    a = rng.randint(3, 30)
    b = rng.randint(1, a - 1)
    one, many = rng.choice(_THINGS)
    gone, end = rng.choice(_GIVEN).format(b=asked(rng, b)), rng.choice(("are left", "do I have left"))
    question = f"I have {asked(rng, a)} {many} and {gone}. How many {end}?"
    stays = plural(a - b, one, many)
    response = rng.choice(
        (
            f"[inform] then you have *{words(a - b)}* left.",
            f"[inform] *{stays}*.",
            f"[inform] *{words(a - b)}* are left." if a - b > 1 else "[inform] just *one*.",
        )
    )
    return Sum("sum.left", f"left:{a},{b}", sentence(question), sentence(response), words(a - b))


def together(rng: random.Random) -> Sum:
    """Some things, and some more come."""
    a, b = rng.randint(2, 30), rng.randint(2, 20)
    one, many = rng.choice(_THINGS)
    question = f"I have {asked(rng, a)} {many} and {rng.choice(_GOTTEN).format(b=asked(rng, b))}. How many is that?"
    response = rng.choice(
        (f"[inform] that makes *{words(a + b)}*.", f"[inform] *{plural(a + b, one, many)}* in all.", f"[inform] *{words(a + b)}* now.")
    )
    return Sum("sum.together", f"together:{a},{b}", sentence(question), sentence(response), words(a + b))


def shared(rng: random.Random) -> Sum:
    """So many things for so many people."""
    people, each = rng.randint(2, 9), rng.randint(2, 10)
    one, many = rng.choice(_THINGS)
    total = people * each
    question = f"how many {many} does each get if {asked(rng, people)} {rng.choice(_GUESTS)} share {asked(rng, total)}?"
    response = rng.choice(
        (f"[inform] *{words(each)}* each.", f"[inform] each gets *{words(each)}*.", f"[inform] *{plural(each, one, many)}* each.")
    )
    return Sum("sum.shared", f"shared:{total},{people}", sentence(question), sentence(response), words(each))


def price(rng: random.Random) -> Sum:
    """So many at so much."""
    count, cost = rng.randint(2, 9), rng.randint(2, 12)
    coin = rng.choice(("pounds", "dollars", "euros"))
    thing = rng.choice(_COSTS)
    many = thing.removeprefix("a ")
    many = {"loaf": "loaves", "sandwich": "sandwiches"}.get(many, many + "s")
    question = f"{thing} costs {asked(rng, cost)} {coin}. What do {asked(rng, count)} {many} cost?"
    total = words(count * cost)
    response = rng.choice(
        (f"[inform] *{total}* {coin}.", f"[inform] that's *{total}* {coin}.", f"[inform] {words(count)} {many} cost *{total}* {coin}.")
    )
    return Sum("sum.price", f"price:{count},{cost}", sentence(question), sentence(response), total)


def change(rng: random.Random) -> Sum:
    """The change."""
    paid = rng.choice((5, 10, 20, 50, 100))
    cost = rng.randint(1, paid - 1)
    coin = rng.choice(("pounds", "dollars", "euros"))
    question = f"I pay with a {asked(rng, paid)} and it costs {asked(rng, cost)} {coin}. What's my change?"
    coin = coin if paid - cost != 1 else coin[:-1]
    response = rng.choice((f"[inform] you get *{words(paid - cost)}* {coin} back.", f"[inform] *{words(paid - cost)}* {coin}."))
    return Sum("sum.change", f"change:{paid},{cost}", sentence(question), sentence(response), words(paid - cost))


def age(rng: random.Random) -> Sum:
    """How old somebody will be, was, or is beside another."""
    now, years = rng.randint(4, 70), rng.randint(2, 20)
    who, is_now, will_be, was = rng.choice(
        (
            ("I'm", "I", "you'll be", "you were"),
            ("my sister is", "she", "she'll be", "she was"),
            ("my son is", "he", "he'll be", "he was"),
        )
    )
    later = rng.random() < 0.6 or years >= now
    if later:
        question = f"{who} {asked(rng, now)}. How old will {is_now} be in {asked(rng, years)} years?"
        result, said = now + years, will_be
    else:
        question = f"{who} {asked(rng, now)}. How old was {is_now} {asked(rng, years)} years ago?"
        result, said = now - years, was
    response = rng.choice((f"[inform] {said} *{words(result)}*.", f"[inform] *{words(result)}*."))
    return Sum("sum.age", f"age:{now},{years if later else -years}", sentence(question), sentence(response), words(result))


STORIES: dict[str, Callable[[random.Random], Sum]] = {
    "left": left,
    "together": together,
    "shared": shared,
    "price": price,
    "change": change,
    "age": age,
}
