"""Units in each other, counts that have a name, and sides of shapes."""

import random
from collections.abc import Callable

from a2llm.data.sums.sum import Sum, asked, loosely, sentence, words

# one of the large unit, its plural, how many, of the small ones
_UNITS = (
    ("metre", "metres", 100, "centimetres"),
    ("centimetre", "centimetres", 10, "millimetres"),
    ("kilometre", "kilometres", 1000, "metres"),
    ("kilogram", "kilograms", 1000, "grams"),
    ("tonne", "tonnes", 1000, "kilograms"),
    ("litre", "litres", 1000, "millilitres"),
    ("foot", "feet", 12, "inches"),
    ("yard", "yards", 3, "feet"),
    ("pound", "pounds", 16, "ounces"),
    ("stone", "stone", 14, "pounds"),
    ("dozen", "dozen", 12, "pieces"),
    ("dollar", "dollars", 100, "cents"),
    ("euro", "euros", 100, "cents"),
)
_SIDES = {"triangle": 3, "square": 4, "rectangle": 4, "pentagon": 5, "hexagon": 6, "heptagon": 7, "octagon": 8}
_GROUPS = {"pair": 2, "trio": 3, "quartet": 4, "dozen": 12, "half a dozen": 6, "score": 20}


def convert(rng: random.Random) -> Sum:
    """So many of one unit in another, either way."""
    one, many, factor, small = rng.choice(_UNITS)
    count = rng.choice((1, 1, 2, 3, 4, 5, 6, 8, 10)) if factor <= 100 else rng.choice((1, 1, 2, 3, 4, 5, 8, 10))
    if rng.random() < 0.6 or small == "pieces":
        named = f"{'an' if one[0] == 'a' else 'a'} {one}" if count == 1 else f"{asked(rng, count)} {many}"
        verb = "is" if count == 1 else "are"
        question = rng.choice((f"how many {small} are in {named}?", f"how many {small} {verb} {named}?"))
        result, unit = factor * count, small
    else:
        question = f"how many {many} are {asked(rng, factor * count)} {small}?"
        result, unit = count, one if count == 1 else many
    said = (
        f"[inform] *{words(result)}*."
        if unit == "pieces"
        else rng.choice((f"[inform] *{words(result)}* {unit}.", f"[inform] *{words(result)}*."))
    )
    question = loosely(rng, sentence(question))
    return Sum("sum.units", question, question, sentence(said), words(result))


def sides(rng: random.Random) -> Sum:
    """Sides and corners of a shape, and the shape that has so many."""
    shape, count = rng.choice(list(_SIDES.items()))
    what = rng.choice(("sides", "corners"))
    if shape != "rectangle" and shape != "square" and rng.random() < 0.4:
        question, response, wanted = f"which shape has {asked(rng, count)} {what}?", f"[inform] a *{shape}*.", shape
        response = response.replace("a *oct", "an *oct")
    else:
        question, response, wanted = (
            f"how many {what} does {'an' if shape[0] == 'o' else 'a'} {shape} have?",
            f"[inform] *{words(count)}*.",
            words(count),
        )
    question = loosely(rng, sentence(question))
    return Sum("sum.sides", question, question, sentence(response), wanted)


def groups(rng: random.Random) -> Sum:
    """How many a pair or a dozen is, and several of them."""
    name, size = rng.choice(list(_GROUPS.items()))
    if name in ("dozen", "pair") and rng.random() < 0.6:
        count = rng.randint(2, 6)
        question = f"how many eggs are {asked(rng, count)} dozen?" if name == "dozen" else f"how many socks are {asked(rng, count)} pairs?"
        result = count * size
    else:
        question, result = f"how many is {name if name.startswith('half') else 'a ' + name}?", size
    question = loosely(rng, sentence(question))
    return Sum("sum.groups", question, question, sentence(f"[inform] *{words(result)}*."), words(result))


UNITS: dict[str, Callable[[random.Random], Sum]] = {"convert": convert, "sides": sides, "groups": groups}
