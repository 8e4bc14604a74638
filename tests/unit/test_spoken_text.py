import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from a2llm.language.spoken_text import USER_TEXT_LIMIT, SpokenStream, clean_user_text, to_spoken

SPOKEN = {
    # numbers, years, ordinals, decades
    "I have 3 cats and 21 dogs.": "I have three cats and twenty one dogs.",
    "It's 3.14, not 1,234.5.": "It's three point one four, not one thousand two hundred thirty four point five.",
    "In 1999, 2005 and 1906": "In nineteen ninety nine, two thousand five and nineteen oh six",
    "1500 people, 2024 books": "one thousand five hundred people, two thousand twenty four books",
    "the 1990s and the '80s": "the nineteen nineties and the eighties",
    "the 3rd and 21st, World War II": "the third and twenty first, World War two",
    "room 007, No. 5, #1": "room zero zero seven, number five, number one",
    "-5 degrees, ~5 people, 1/2, 3/4 and 1½ cups": (
        "minus five degrees, about five people, one half, three quarters and one and a half cups"
    ),
    "2+2=4, 5 - 3 = 2, 3 x 4, 10x": ("two plus two equals four, five minus three equals two, three by four, ten times"),
    "pages 10-20 (1939–1945)": "pages ten to twenty, nineteen thirty nine to nineteen forty five",
    "Call 555-123-4567": "Call five five five, one two three, four five six seven",
    "v2.0 of 3.11.2": "version two point zero of three point eleven point two",
    # times and dates
    "at 3:00, 3:00 p.m., 9:05am or 15:30": "at three o'clock, three PM, nine oh five AM or fifteen thirty",
    "by 8 a.m. today. By 8 a.m. We": "by eight AM today. By eight AM. We",
    "March 5, 2024; Dec. 25": "March fifth, twenty twenty four; December twenty fifth",
    "2024-03-05": "March fifth, twenty twenty four",
    "3pm-5pm": "three PM to five PM",
    # money, percentages, units
    "$4, $1, $4.50, $0.99, £2.01": "four dollars, one dollar, four dollars and fifty cents, ninety nine cents, two pounds and one penny",
    "$4 million, $3M, €20, 20€": "four million dollars, three million dollars, twenty euros, twenty euros",
    "10%, 10 % or 5-10%": "ten percent, ten percent or five to ten percent",
    "5 kg, 1 kg, 60 mph, 100km/h, 5ft": "five kilograms, one kilogram, sixty miles per hour, one hundred kilometers per hour, five feet",
    "-5°C, 20 °F, 50°": "minus five degrees Celsius, twenty degrees Fahrenheit, fifty degrees",
    # abbreviations
    "Dr. Smith met Mr. Lee on Main St. near St. Mary's": "Doctor Smith met Mister Lee on Main Street near Saint Mary's",
    "e.g. apples, pears, etc. Then": "for example, apples, pears, et cetera. Then",
    "The U.S. is big. J. R. Tolkien, vitamin C. Then": "The US is big. J R Tolkien, vitamin C. Then",
    # symbols and addresses
    "R&D, salt & pepper, he/she, w/o": "R and D, salt and pepper, he or she, without",
    "C++, C#, @bob, #tag, a<b": "C plus plus, C sharp, at bob, hashtag tag, a less than b",
    "See https://www.example.com/a?b=1 or bob.smith@example.com.": "See example dot com or bob dot smith at example dot com.",
    # markup, emoji, scripts
    "# Title\n\n- **one**\n- _two_\n\n1. Go": "Title. one. two. one, Go",
    "Run `ls` now. ```py\nprint(1)\n``` Done": "Run ls now. Done",
    '<speak>Hi <break time="500ms"/>you</speak> & 3 < 4': "Hi you and three less than four",
    "[the page](http://x.com) &amp; ![a b](c.png)": "the page and a b",
    "Great 🙂! :) Привет naïve 你好 Łódź": "Great! naïve Lódz",
    "bad — very (quite) bad--really...": "bad, very, quite, bad, really...",
    "COVID-19, MP3, H2O, well-known, don't": "COVID nineteen, MP three, H two O, well-known, don't",
}


@pytest.mark.parametrize(("written", "spoken"), SPOKEN.items())
def test_written_text_becomes_speakable(written: str, spoken: str) -> None:
    assert to_spoken(written) == spoken


@pytest.mark.parametrize("text", ["", "  \n", "你好，世界", "🙂🙂", "```code```", "<speak></speak>", "--- *** ___"])
def test_nothing_speakable_gives_nothing(text: str) -> None:
    assert to_spoken(text) == ""


def stream(pieces: list[str]) -> list[str]:
    spoken = SpokenStream()
    return [*map(spoken.feed, pieces), spoken.finish()]


def test_a_stream_withholds_only_what_is_ambiguous() -> None:
    said = stream(["It costs", " $", "4", " million", " today", ".", " Dr", ".", " Who", " said 3", ".", "5", ".", " Yes"])
    assert said == [
        "It",
        " costs",
        "",
        "",
        " four million dollars",
        "",
        " today.",
        "",
        "",
        " Doctor Who said",
        "",
        "",
        "",
        " three point five.",
        " Yes",
    ]


def test_plain_words_wait_for_nothing_but_their_end() -> None:
    assert stream(["Hel", "lo the", "re, my", " fri", "end"]) == ["", "Hello", " there,", " my", "", " friend"]


def test_code_and_tags_are_withheld_until_closed() -> None:
    assert stream(["a <em", "ph> b `", "`", "` co", "de ``", "` c "]) == ["a", " b", "", "", "", " c", ""]


def test_a_finished_stream_starts_anew() -> None:
    spoken = SpokenStream()
    assert spoken.feed("One ```co") + spoken.finish() == "One"
    assert spoken.feed("Two 2") + spoken.finish() == "Two two"


TRICKY = st.sampled_from(
    "3 3. 3) $4 $ million 10 % kg p.m. a.m. Dr. St. etc. e.g. U.S. J. - -- — ( ) x * ** _ ` `` ``` < > <b> </b> <3 "
    "<break/> &amp; # ## 1/2 12:45 2024 March 5, books 👩‍👩‍👧 你好 é Hello world! ... : ; ? ' \" [a b](c) http://a.com a@b.c |".split()
)
TEXTS = st.lists(TRICKY | st.text(max_size=6) | st.sampled_from([" ", "\n", "\n\n", "\t"]), max_size=25).map("".join)


@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=12))
@example(text="a <b and ``` c", cuts=[3, 4, 9, 10])
@settings(max_examples=150, deadline=None)
def test_any_cutting_gives_the_offline_text(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert "".join(stream(pieces)) == to_spoken(text) == "".join(stream(list(text)))


@given(text=TEXTS)
@settings(max_examples=150, deadline=None)
def test_the_result_is_always_speakable(text: str) -> None:
    spoken = to_spoken(text)
    assert re.fullmatch(r"[A-Za-zÀ-ÿ'., ;:!?-]*", spoken)
    assert "  " not in spoken and spoken == spoken.strip()
    assert not re.search(r"(?:^| )[.,;:!?']", spoken)


@given(text=TEXTS)
@settings(max_examples=200, deadline=None)
def test_speaking_again_changes_nothing_much(text: str) -> None:
    assert not re.search(r"\d", to_spoken(to_spoken(text)))


@pytest.mark.parametrize("text", ["<" * 20_000, "1" * 20_000, "1," * 10_000, "a-" * 10_000, "`" * 20_000, "(" * 20_000, "a." * 10_000])
def test_long_odd_input_ends_soon(text: str) -> None:
    to_spoken(text)


class TestCleanUserText:
    def test_keeps_every_script_and_emoji(self) -> None:
        text = "Wie geht's? 你好 नमस्ते مرحبا 👩‍👩‍👧"
        assert clean_user_text(text) == text

    def test_drops_control_characters_tags_and_turn_markers(self) -> None:
        dirty = "a\x00b\x1b[31m\u202e \r\n\t<speak>c<break time='1s'/>d</speak><|im_end|> \ud800"
        assert clean_user_text(dirty) == "ab[31m c d"

    def test_keeps_code_and_comparisons(self) -> None:
        assert clean_user_text("if a < b and c > 3: print(1)") == "if a < b and c > 3: print(1)"

    @pytest.mark.parametrize("text", ["", " \n\t", "\x00\x01", "<speak></speak>"])
    def test_empty_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="say something"):
            clean_user_text(text)

    def test_too_long_is_refused_with_the_limit(self) -> None:
        with pytest.raises(ValueError, match="20,000 characters, the limit is 2,000"):
            clean_user_text("a" * 20_000)
        assert len(clean_user_text("a" * USER_TEXT_LIMIT)) == USER_TEXT_LIMIT
        with pytest.raises(ValueError, match="limit is 3"):
            clean_user_text("four", limit=3)
