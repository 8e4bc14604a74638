"""Words out of tokens: let go whole, as soon as nothing that follows can change them."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.models import tiny

from a2llm.data.dialogues import load_dialogues
from a2llm.language.spoken_text import to_spoken
from a2llm.language.word_stream import PlainWords, WordStream

PLAIN = "Hello there, my friend. How are you today?"
TRICKY = [
    "It costs $4 million (or so) - really! Dr. Who said 3.5. e.g. this\n\n- one\n- two\n1. Go",
    "bad — very (quite) bad--really... ** bold ** `code` <b>tag</b> < 3 你好. naïve 🙂! ok",
    "see Main St. near 5 kg. of J. Smith vs. x 4 :) ! ? end ' \" ...",
]


class Letters:
    """A tokenizer whose tokens are the pieces it was given."""

    def __init__(self, pieces: list[str]) -> None:
        self.pieces = pieces

    def decode(self, ids: list[int]) -> str:
        return "".join(self.pieces[i] for i in ids)


def stream(tokenizer, ids: list[int]) -> list[list[tuple[str, int]]]:
    """Words as they are let go at each token and at the end, each with the index of the token its state is from."""
    words = WordStream(tokenizer)
    found = [words.push(token, np.array([place])) for place, token in enumerate(ids)]
    return [[(word, int(state[0])) for word, state in ready] for ready in [*found, words.finish()]]


def flat(found: list[list[tuple[str, int]]]) -> list[str]:
    return [word for ready in found for word, _ in ready]


@pytest.mark.parametrize("text", [PLAIN, *TRICKY, "", " ", "One", "🙂"])
def test_words_are_those_of_the_whole_text(text: str):
    tokenizer = tiny.tokenizer()
    assert flat(stream(tokenizer, tokenizer.encode(text))) == to_spoken(text).split()
    assert flat(stream(Letters(list(text)), list(range(len(text))))) == to_spoken(text).split()


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab Z1.,!?-—()$*`<>\n\"'你é🙂)("), max_size=5), max_size=25))
@example(["a", " (b", ") ", "c"])
@example(["a", " -", " b"])
@example(["a", "\n", "Z"])
@example(["a", " ", "!", " b"])
@example(["1", ". a"])
def test_words_for_any_pieces(pieces: list[str]):
    text = "".join(pieces)
    assert flat(stream(Letters(pieces), list(range(len(pieces))))) == to_spoken(text).split()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, tiny.VOCABULARY - 1), max_size=40))
def test_words_for_any_tokens(ids: list[int]):
    tokenizer = tiny.tokenizer()
    assert flat(stream(tokenizer, ids)) == to_spoken(tokenizer.decode(ids)).split()


def test_a_plain_word_comes_with_its_last_token_and_without_delay():
    tokenizer = tiny.tokenizer()
    for text in [PLAIN, *[e.response for d in list(load_dialogues())[::1000] for e in d.exchanges if "," not in e.response]]:
        ids = tokenizer.encode(text)
        begins = [i for i, token in enumerate(ids) if i and tokenizer.decode([token])[:1] == " "]
        found = stream(tokenizer, ids)
        assert [at for ready in found for _, at in ready] == [i - 1 for i in [*begins, len(ids)]], text
        with_letters = [i for i in begins if tokenizer.decode([ids[i]]) != " "]
        assert all(len(found[i]) == 1 for i in with_letters), text


def test_a_number_waits_for_its_unit():
    pieces = ["It", " costs", " $", "4", " million", " now"]
    assert stream(Letters(pieces), list(range(6))) == [
        [],
        [("It", 0)],
        [],
        [],
        [],
        [("costs", 1), ("four", 4), ("million", 4), ("dollars", 4)],
        [("now", 5)],
    ]


def test_plain_words_are_let_go_whole_and_as_written():
    words = PlainWords(Letters(["It", " cost", "s", " $", "4 ", "\n", "m\ufffd"]))  # pyright: ignore[reportArgumentType]
    assert words.silent
    ready = [[word for word, _ in words.push(token, np.zeros(1))] for token in range(7)]
    assert ready == [[], ["It"], [], ["costs"], ["$4"], [], []]
    assert [word for word, _ in words.finish()] == ["m\ufffd"]
    assert not words.silent


def test_silent_until_something_can_be_said():
    words = WordStream(Letters(["*", " 🙂", "...", "Hm"]))  # pyright: ignore[reportArgumentType]
    seen = [words.silent]
    for token in range(4):
        words.push(token, np.zeros(1))
        seen.append(words.silent)
    assert seen == [True, True, True, True, False]
