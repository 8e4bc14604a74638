"""Every kind of written figure as it is said, whole and in pieces. Expected words were read twice: by hand, and by num2words 0.5.14
(cardinals, ordinals, years: 5,300 of them, no difference but "and") and wetext 0.1.8 (the phrases of ORACLE, all alike)."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from a2llm.language.spoken_text import SpokenStream, to_spoken

ORACLE = {
    "€20": "twenty euros",
    "$1.5 billion": "one point five billion dollars",
    "0.5%": "zero point five percent",
    "1,234,567": "one million two hundred thirty four thousand five hundred sixty seven",
    "5/8": "five eighths",
    "2 3/4": "two and three quarters",
    "103rd": "one hundred third",
    "14:30": "fourteen thirty",
    "7:30 pm": "seven thirty PM",
    "9 November 2025": "the ninth of November twenty twenty five",
    "60 mph": "sixty miles per hour",
    "3 mg": "three milligrams",
    "555-123-4567": "five five five, one two three, four five six seven",
    "+1 555-010-4477": "plus one, five five five, zero one zero, four four seven seven",
    "the '80s": "the eighties",
    "bob.smith@example.com": "bob dot smith at example dot com",
    "10-20": "ten to twenty",
}
CODES = {
    "030-5550-1234": "zero three zero, five five five zero, one two three four",
    "1-800-555-0199": "one, eight zero zero, five five five, zero one nine nine",
    "ISBN 978-3-16-148410-0": "ISBN nine seven eight, three, one six, one four eight four one zero, zero",
    "+44 20 7946 0123 is it": "plus four four, two zero, seven nine four six, zero one two three is it",
    "+49 (0)30 1234567": "plus four nine, zero, three zero, one two three four five six seven",
    "020 7946 0123.": "zero two zero, seven nine four six, zero one two three.",
    "(555) 123-4567": "five five five, one two three, four five six seven",
    "4111 1111 1111 1111": ", ".join(["four one one one", *["one one one one"] * 3]),
    "order #12345678": "order number one two three four five six seven eight",
    "90210": "nine zero two one zero",
    "CA 90210-1234": "CA nine zero two one zero, one two three four",
    "your zip code is 10001": "your zip code is one zero zero zero one",
    "your PIN is 1984": "your PIN is one nine eight four",
    "call 300 people, order 200 chairs": "call three hundred people, order two hundred chairs",
    "Call 911 now, 911 people": "Call nine one one now, nine hundred eleven people",
    "192.168.0.1:8080": "one nine two dot one six eight dot zero dot one, port eight zero eight zero",
}
MONEY = {
    "$5-10": "five to ten dollars",
    "$5-$10 or €1.5-2 million": "five to ten dollars or one point five to two million euros",
    "₹250 and ₩1000": "two hundred fifty rupees and one thousand won",
    "Rs. 250, ₸5, 50¢": "two hundred fifty rupees, five tenge, fifty cents",
    "1.234,50 EUR": "one thousand two hundred thirty four euros and fifty cents",
    "USD 50 million, 50 USD": "fifty million US dollars, fifty US dollars",
    "-$5, $-5": "minus five dollars, minus five dollars",
    "1'234.50 CHF, 3,99 €": "one thousand two hundred thirty four Swiss francs and fifty centimes, three euros and ninety nine cents",
    "$20/month": "twenty dollars per month",
}
DATES = {
    "9.11.2025": "November ninth, twenty twenty five",
    "25/12/2025": "December twenty fifth, twenty twenty five",
    "Nov 9th 2025": "November ninth twenty twenty five",
    "the 9th November, March 5-7, 5-7 May": "the ninth of November, March fifth to seventh, the fifth to the seventh of May",
    "2025-11-09T14:30:00Z": "November ninth, twenty twenty five, fourteen thirty UTC",
    "Mon-Fri, Jan-Mar, Sat 8 Nov": "Monday to Friday, January to March, Saturday the eighth of November",
    "Sun sets. Sat down. No. I may march.": "Sun sets. Sat down. No. I may march.",
    "9.30am, 9.30 pm, 9-5pm": "nine thirty AM, nine thirty PM, nine to five PM",
    "in 1066, mid-1990s, 1939--1945": "in ten sixty six, mid nineteen nineties, nineteen thirty nine to nineteen forty five",
    "2h 30m": "two hours thirty minutes",
}
NUMBERS = {
    "2,5 liters, 10 000, 2.000.000": "two point five liters, ten thousand, two million",
    "rooms 101 102 103": "rooms one hundred one one hundred two one hundred three",
    "1 1/2 tsp, 3/4 tsp, ⅛ tsp": "one and a half teaspoons, three quarters of a teaspoon, one eighth teaspoon",
    "1 ft 3 in, 5'10\"": "one foot three inches, five foot ten",
    "30 mpg, 2k users, 5G, 4K": "thirty miles per gallon, two thousand users, five G, four K",
    "20° N, 30° W, +-3 degrees C": "twenty degrees north, thirty degrees west, plus or minus three degrees Celsius",
    "−10–−5, -5--3": "minus ten to minus five, minus five to minus three",
    "≥18, <5kg, ±3°C": "at least eighteen, less than five kilograms, plus or minus three degrees Celsius",
    "10^-3, 10⁶, 12 / 4 = 3": "ten to the minus three, ten to the six, twelve divided by four equals three",
    "16:9, 3-2, 2:1:1": "sixteen to nine, three to two, two to one to one",
    "No 8, Nos. 5, No 5, no way": "number eight, numbers five, number five, no way",
    "60 beats/min, 10 mg/kg": "sixty beats per minute, ten milligrams per kilogram",
    "v1.2.3, Python 3.11, .NET": "version one point two point three, Python three point eleven, dot NET",
    "Henry VIII, Chapter V, World War I, Malcolm X": "Henry the eighth, Chapter five, World War one, Malcolm X",
    "Super Bowl LVIII, XIX century": "Super Bowl fifty eight, nineteenth century",
    "٣ people, 2⅛": "three people, two and one eighth",
    '{"temp_c": 21.5, "ok": true, "when": "2025-11-09"}': (
        "temp c: twenty one point five, ok: true, when: November ninth, twenty twenty five"
    ),
}
ALL = ORACLE | CODES | MONEY | DATES | NUMBERS


@pytest.mark.parametrize(("written", "spoken"), ALL.items())
def test_a_figure_is_said(written: str, spoken: str) -> None:
    assert to_spoken(written) == spoken


@pytest.mark.parametrize("written", ALL)
def test_letters_one_by_one_change_nothing(written: str) -> None:
    stream = SpokenStream()
    assert "".join(map(stream.feed, written)) + stream.finish() == to_spoken(written)


def test_a_figure_that_goes_on_is_held_until_it_is_whole() -> None:
    stream = SpokenStream()
    assert [stream.feed(piece) for piece in ["Call", " +44", " 20", " 7946", " 0123", " or", " write"]] == [
        "", "Call", "", "", "", "", " plus four four, two zero, seven nine four six, zero one two three or",
    ]  # fmt: skip


FIGURES = st.one_of(
    st.from_regex(r"[-+~≥<]?[$€£₹]?[0-9]{1,9}([.,:/-][0-9]{1,4}){0,3}(%|kg|k|th|am|€|°C)?", fullmatch=True),
    st.sampled_from(
        ["USD", "Rs.", "ft", "in", "May", "Nov", "No", "million", "1/2", "(030)", "VIII", "tsp", "°", "C", "of", "Mon-Fri", "5,"]
    ),
    st.sampled_from(list(ALL)),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(FIGURES, min_size=1, max_size=8).map(" ".join), st.integers(1, 7))
@example("1. 555 1234", 1)
def test_no_figure_is_left_lost_or_changed_by_pieces(text: str, size: int) -> None:
    spoken = to_spoken(text)
    assert spoken and not re.search(r"[0-9$€£₹%°/]", spoken)
    stream = SpokenStream()
    assert "".join(stream.feed(text[i : i + size]) for i in range(0, len(text), size)) + stream.finish() == spoken


@settings(max_examples=150, deadline=None)
@given(st.lists(st.from_regex(r"[a-z]{4,9}", fullmatch=True), min_size=2, max_size=5), FIGURES)
def test_the_words_around_a_figure_are_all_said(words: list[str], figure: str) -> None:
    half = len(words) // 2
    said = to_spoken(" ".join([*words[:half], figure, *words[half:]]))
    assert [word for word in words if word not in re.findall("[a-z]+", said)] == []
