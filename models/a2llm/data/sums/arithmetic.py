"""Sums of plain numbers."""

import random
from collections.abc import Callable

from a2llm.data.sums.sum import Sum, asked, loosely, sentence, words


def _ask(rng: random.Random, shapes: tuple[str, ...], a: int, b: int) -> str:
    filled = rng.choice(shapes).format(a=asked(rng, a), b=asked(rng, b))
    return loosely(rng, sentence(filled))


_PLUS = ("what's {a} plus {b}?", "{a} plus {b}?", "how much is {a} and {b}?", "add {a} and {b}.", "what do {a} and {b} make?", "{a} + {b}")
_MINUS = ("what's {a} minus {b}?", "{a} minus {b}?", "take {b} from {a}.", "how much is {a} less {b}?", "{a} - {b}")
_TIMES = ("what's {a} times {b}?", "{a} times {b}?", "how much is {a} times {b}?", "multiply {a} by {b}.", "{a} x {b}")
_DIVIDE = ("what's {a} divided by {b}?", "{a} divided by {b}?", "how many times does {b} go into {a}?", "divide {a} by {b}.", "{a} / {b}")


def _say(rng: random.Random, shapes: tuple[str, ...], a: int, b: int, result: int) -> str:
    return sentence(rng.choice(shapes).format(a=words(a), b=words(b), r=words(result)))


def plus(rng: random.Random) -> Sum:
    """Both below ten, both below twenty, or both below a hundred: the last with the way there."""
    top = rng.choice((10, 20, 20, 100, 100))
    a, b = rng.randint(1, top), rng.randint(1, top)
    result = a + b
    shapes = ("[inform] {a} and {b} make *{r}*.", "[inform] {a} plus {b} is *{r}*.", "[inform] that's *{r}*.", "[inform] *{r}*.")
    if a > 20 and b > 20 and a % 10 and b % 10:
        tens, ones = a // 10 * 10 + b // 10 * 10, a % 10 + b % 10
        shapes = (f"[inform] {words(tens)} and {words(ones)}, [inform] so *{{r}}*.",) * 2 + shapes[:2]
    question = _ask(rng, _PLUS, a, b)
    key = f"{min(a, b)}+{max(a, b)}" if max(a, b) > 20 else question
    return Sum("sum.plus", key, question, _say(rng, shapes, a, b, result), words(result))


def minus(rng: random.Random) -> Sum:
    """The result is never below nothing."""
    top = rng.choice((10, 20, 20, 100))
    a = rng.randint(2, top)
    b = rng.randint(1, a)
    shapes = ("[inform] {a} minus {b} is *{r}*.", "[inform] that leaves *{r}*.", "[inform] *{r}*.", "[inform] {a} less {b} makes *{r}*.")
    question = _ask(rng, _MINUS, a, b)
    return Sum("sum.minus", f"{a}-{b}" if a > 20 else question, question, _say(rng, shapes, a, b, a - b), words(a - b))


def times(rng: random.Random) -> Sum:
    """The tables to twelve, and two figures times one with the way there."""
    if rng.random() < 0.7:
        a, b = rng.randint(2, 12), rng.randint(2, 12)
        shapes = ("[inform] {a} times {b} is *{r}*.", "[inform] {a} {b}s are *{r}*.", "[inform] that's *{r}*.", "[inform] *{r}*.")
        shapes = shapes if b not in (6,) else (shapes[0], *shapes[2:])
    else:
        a, b = rng.randint(2, 9), rng.randint(13, 49)
        way = f"{words(a * (b // 10 * 10))} and {words(a * (b % 10))}" if b % 10 else ""
        shapes = (f"[inform] {way}, [inform] so *{{r}}*.", "[inform] {a} times {b} is *{r}*.") if way else ("[inform] that's *{r}*.",)
    question = _ask(rng, _TIMES, a, b)
    return Sum("sum.times", f"{a}*{b}" if b > 12 else question, question, _say(rng, shapes, a, b, a * b), words(a * b))


def divide(rng: random.Random) -> Sum:
    """Without a rest."""
    b, result = rng.randint(2, 12), rng.randint(2, 12)
    a = b * result
    shapes = (
        "[inform] {a} divided by {b} is *{r}*.",
        "[inform] *{r}*, [inform] because {b} times {r} is {a}.",
        "[inform] *{r}*.",
        "[inform] that's *{r}*.",
    )
    question = _ask(rng, _DIVIDE, a, b)
    return Sum("sum.divide", question, question, _say(rng, shapes, a, b, result), words(result))


def half(rng: random.Random) -> Sum:
    """Halves, doubles and quarters."""
    number = rng.randint(2, 60)
    name, result, source = rng.choice((("half", number, 2 * number), ("double", 2 * number, number), ("a quarter", number, 4 * number)))
    question = f"what's {name} {'of ' if name != 'double' else ''}{asked(rng, source)}?"
    said = {"half": "half of {s} is", "double": "twice {s} is", "a quarter": "a quarter of {s} is"}[name].format(s=words(source))
    response = rng.choice((f"[inform] {said} *{words(result)}*.", f"[inform] *{words(result)}*.", f"[inform] that's *{words(result)}*."))
    return Sum("sum.half", f"{name}:{source}", loosely(rng, sentence(question)), sentence(response), words(result))


def percent(rng: random.Random) -> Sum:
    """Tens, quarters, halves and fifths of round numbers."""
    share = rng.choice((10, 20, 25, 50, 75, 5))
    whole = rng.choice((20, 40, 60, 80, 100, 120, 160, 200, 240, 300, 400, 500, 600, 800, 1000))
    result = share * whole // 100
    percent_sign = rng.random() < 0.5
    question = f"what's {share if percent_sign else words(share)}{'%' if percent_sign else ' percent'} of {asked(rng, whole)}?"
    said = f"[inform] {words(share)} percent of {words(whole)} is *{words(result)}*."
    response = rng.choice((said, f"[inform] that's *{words(result)}*.", f"[inform] *{words(result)}*."))
    return Sum("sum.percent", f"{share}%{whole}", loosely(rng, sentence(question)), sentence(response), words(result))


def larger(rng: random.Random) -> Sum:
    """The larger or the smaller of two numbers."""
    a, b = rng.sample(range(1, 200), 2)
    large = rng.random() < 0.5
    result = max(a, b) if large else min(a, b)
    word = "bigger" if large else "smaller"
    question = rng.choice((f"which is {word}, {asked(rng, a)} or {asked(rng, b)}?", f"is {asked(rng, a)} or {asked(rng, b)} {word}?"))
    response = rng.choice((f"[inform] ^{words(result)}^ is {word}.", f"[inform] ^{words(result)}^."))
    return Sum("sum.larger", f"{word}:{a},{b}", loosely(rng, sentence(question)), sentence(response), words(result))


def next_number(rng: random.Random) -> Sum:
    """How a row goes on, and what comes before and after."""
    step, start = rng.choice((1, 2, 2, 3, 5, 10)), rng.randint(1, 40)
    row = [start + step * i for i in range(4)]
    if rng.random() < 0.5:
        question = f"what comes next, {', '.join(words(n) for n in row[:3])}?"
        key, result = f"row:{start},{step}", row[3]
    else:
        after = rng.random() < 0.5
        question = f"which number comes {'after' if after else 'before'} {asked(rng, start)}?"
        key, result = f"{'after' if after else 'before'}:{start}", start + 1 if after else start - 1
    return Sum("sum.next", key, loosely(rng, sentence(question)), sentence(f"[inform] *{words(result)}*."), words(result))


def even(rng: random.Random) -> Sum:
    """Even or odd."""
    number = rng.randint(1, 120)
    right = "even" if number % 2 == 0 else "odd"
    claimed = rng.choice(("even", "odd"))
    number_said = asked(rng, number)
    if rng.random() < 0.5:
        question, response = f"is {number_said} even or odd?", f"[inform] {words(number)} is *{right}*."
    elif claimed == right:
        question, response = f"is {number_said} an {claimed} number?", f"[affirm] yes, {words(number)} is *{right}*."
    else:
        question, response = f"is {number_said} an {claimed} number?", f"[negate] no, {words(number)} is ^{right}^."
    return Sum("sum.even", f"even:{number}", loosely(rng, sentence(question)), sentence(response), right)


ARITHMETIC: dict[str, Callable[[random.Random], Sum]] = {
    "plus": plus,
    "more_plus": plus,
    "minus": minus,
    "more_minus": minus,
    "times": times,
    "more_times": times,
    "divide": divide,
    "half": half,
    "percent": percent,
    "larger": larger,
    "next": next_number,
    "even": even,
}
