"""State of one stream: words out of tokens, the conversation's ids, and a response's own rules."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.models import tiny

from a2llm.affect import Affect
from a2llm.conversation import Conversation, Reply, dropped_turns, split_turns
from a2llm.data.dialogues import load_dialogues
from a2llm.language.chat import ChatTemplate, find_persona
from a2llm.language.spoken_text import to_spoken
from a2llm.language.word_stream import PlainWords, WordStream
from a2llm.messages import AssistantTurn, FunctionCall, SystemText, Tool, ToolResult, UserTurn
from a2llm.talker.phones import PhoneStream
from a2llm.talker.stream import TalkerStream

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
    for text in [PLAIN, *[e.response for d in list(load_dialogues())[::100] for e in d.exchanges]]:
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


def conversation() -> Conversation:
    return Conversation(find_persona("ada"), ChatTemplate(tiny.tokenizer()), 0)


ITEMS = [
    UserTurn("Hello", Affect("joy", 0.7)),
    AssistantTurn("Hi there."),
    FunctionCall("look", '{"up": true}'),
    ToolResult("nothing"),
    SystemText("Be brief."),
    UserTurn("Bye"),
]


def test_a_prompt_is_the_template_laid_out():
    talk, template = conversation(), ChatTemplate(tiny.tokenizer())
    assert talk.prompt([UserTurn("Hello")], (), 500) == template.prompt(talk.persona, "Hello", Affect())
    text = tiny.tokenizer().decode(talk.prompt(ITEMS, (Tool("look", "Look around."),), 500))
    assert text == (
        f"system\n{talk.persona.instructions}\nTools:\nlook(): Look around.\nuser\nHello (voice: joy)\nassistant\nHi there.\n"
        'assistant\n<tool_call>{"name": "look", "arguments": {"up": true}}\ntool\nnothing\nsystem\nBe brief.\nuser\nBye\nassistant\n'
    )
    talk.persona = replace(talk.persona, instructions="Be a cat.")
    assert tiny.tokenizer().decode(talk.prompt([], (), 500)) == "system\nBe a cat.\nassistant\n"


def test_the_tokens_that_were_said_stay_as_they_were():
    template = ChatTemplate(tiny.tokenizer())
    letters = tuple(i for c in "Hi you" for i in tiny.tokenizer().encode(c))
    assert template.item(AssistantTurn("Hi you", letters)) == [*template.response_start(), *letters, *template.response_end()]
    assert template.item(AssistantTurn("  ")) == []


def test_a_long_turn_loses_its_end_and_keeps_its_marks():
    talk, template = conversation(), ChatTemplate(tiny.tokenizer())
    ids = talk.prompt([UserTurn("word " * 200)], (), 5000)
    cut = talk.prompt([UserTurn("word " * 200)], (), 150)
    tail = template.response_end() + template.response_start()
    assert (len(cut), cut[-len(tail) :]) == (150, tail)
    assert cut[: 150 - len(tail)] == ids[: 150 - len(tail)]
    with pytest.raises(ValueError, match="too long"):
        talk.prompt([], (), len(talk.opening) + 5)


def test_turns_are_dropped_whole_and_the_oldest_first():
    assert [len(turn) for turn in split_turns([AssistantTurn("Hi"), *ITEMS])] == [1, 5, 1]
    talk = conversation()
    many = [item for n in range(40) for item in (UserTurn(f"question {n}"), FunctionCall("a", "{}"), ToolResult("b"), AssistantTurn("yes"))]
    prompt = talk.prompt([*many, UserTurn("last")], (), 400)
    text = tiny.tokenizer().decode(prompt)
    assert len(prompt) <= 400
    assert prompt[: len(talk.opening)] == talk.opening
    assert text.endswith("user\nlast\nassistant\n")
    assert text.split(".\n", 1)[1].startswith("user\nquestion ")
    assert "question 39" in text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 400))
def test_what_is_kept_fits_and_begins_the_same_for_several_turns(lengths: list[int], room: int):
    gone = dropped_turns(lengths, room)
    assert gone < len(lengths)
    assert sum(lengths[gone:]) <= room or gone == len(lengths) - 1
    assert gone == 0 if sum(lengths) <= room else True
    starts = [dropped_turns(lengths[: n + 1], room) for n in range(len(lengths))]
    assert starts == sorted(starts)
    if max(lengths) * 4 <= room:
        assert len(set(starts)) <= 1 + max(0, sum(lengths) - room) // (room // 4) + 1


def reply() -> Reply:
    rng = np.random.default_rng(0)
    talker = TalkerStream(PhoneStream(tiny.g2p(), tiny.phones()), Affect(), tiny.TALKER, rng, rng)
    return Reply(conversation(), [1], talker, WordStream(tiny.tokenizer()), tiny.vocoder().start(), rng)


def test_no_run_of_tokens_comes_twice():
    mine = reply()
    mine.tokens = [1, 2, 3, 4, 1, 2, 3, 5, 9, 1, 2, 3]
    assert sorted(mine.banned()) == [4, 5]
    mine.tokens = [1, 2]
    assert mine.banned() == []
    mine.tokens = [7, 7, 7, 7]
    assert mine.banned() == [7]


def test_a_reply_without_words_still_says_something():
    mine = reply()
    mine.words.push(tiny.tokenizer().encode("*")[0], np.zeros(tiny.HIDDEN))
    assert mine.silent
    mine.end_text()
    assert mine.spoken == ["Hm."]
    assert mine.talker.phones.phones
    assert not mine.done
