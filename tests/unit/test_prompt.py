"""A conversation as ids: the template laid out, whole turns dropped, the beginning kept."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import tiny

from a2llm.affect import Affect
from a2llm.engine.prompt import build_prompt, dropped_turns, split_turns
from a2llm.language.chat import ChatTemplate, find_persona
from a2llm.messages import AssistantTurn, FunctionCall, Item, SystemText, Tool, ToolResult, UserTurn

ADA = find_persona("ada")
OPENING = ChatTemplate(tiny.tokenizer()).opening(ADA.instructions)


def prompt(items: list[Item], tools: tuple[Tool, ...] = (), capacity: int = 500, instructions: str = ADA.instructions) -> list[int]:
    return build_prompt(ChatTemplate(tiny.tokenizer()), instructions, items, tools, capacity).ids


ITEMS = [
    UserTurn("Hello", Affect("joy", 0.7)),
    AssistantTurn("Hi there."),
    FunctionCall("look", '{"up": true}'),
    ToolResult("nothing"),
    SystemText("Be brief."),
    UserTurn("Bye"),
]


def test_a_prompt_is_the_template_laid_out():
    template = ChatTemplate(tiny.tokenizer())
    assert prompt([UserTurn("Hello")], (), 500) == template.prompt(ADA, "Hello", Affect())
    text = tiny.tokenizer().decode(prompt(ITEMS, (Tool("look", "Look around."),), 500))
    assert text == (
        f"system\n{ADA.instructions}\nTools:\nlook(): Look around.\nuser\nHello (voice: joy)\nassistant\nHi there.\n"
        'assistant\n<tool_call>{"name": "look", "arguments": {"up": true}}\ntool\nnothing\nsystem\nBe brief.\nuser\nBye\nassistant\n'
    )
    assert tiny.tokenizer().decode(prompt([], instructions="Be a cat.")) == "system\nBe a cat.\nassistant\n"


def heard(items: list[Item], capacity: int = 500) -> list[str]:
    """The text before each position that is heard, from the one before."""
    made = build_prompt(ChatTemplate(tiny.tokenizer()), ADA.instructions, items, (), capacity)
    starts = [made.heard[0] - len(tiny.tokenizer().encode("How")) if made.heard else 0, *made.heard]
    return [tiny.tokenizer().decode(made.ids[a + 1 : b + 1]).strip() for a, b in pairwise(starts)]


def test_the_words_of_the_users_last_turn_are_heard():
    said = UserTurn("How are you? I am", Affect("sadness", 0.7))
    words = "How are you? I am (voice: sadness)".split()
    assert heard([said]) == words
    assert heard([UserTurn("Hello"), AssistantTurn("Hi"), said]) == words
    assert heard([UserTurn("Hello"), said, FunctionCall("look", "{}"), ToolResult("nothing")]) == words
    assert heard([UserTurn("")]) == heard([]) == heard([AssistantTurn("Hi")]) == []
    assert set(heard([UserTurn("How " + "are " * 50)])[1:]) == {"are"}
    assert len(heard([UserTurn("How " + "are " * 50)])) == 32
    assert set(heard([UserTurn("How " + "are " * 500)], 150)[1:]) == {"are"}, "of a turn that lost its end"


def test_the_tokens_that_were_said_stay_as_they_were():
    template = ChatTemplate(tiny.tokenizer())
    letters = tuple(i for c in "Hi you" for i in tiny.tokenizer().encode(c))
    assert template.item(AssistantTurn("Hi you", letters)) == [*template.response_start(), *letters, *template.response_end()]
    assert template.item(AssistantTurn("  ")) == []


def test_a_long_turn_loses_its_end_and_keeps_its_marks():
    template = ChatTemplate(tiny.tokenizer())
    ids = prompt([UserTurn("word " * 200)], (), 5000)
    cut = prompt([UserTurn("word " * 200)], (), 150)
    tail = template.response_end() + template.response_start()
    assert (len(cut), cut[-len(tail) :]) == (150, tail)
    assert cut[: 150 - len(tail)] == ids[: 150 - len(tail)]
    with pytest.raises(ValueError, match="too long"):
        prompt([], (), len(OPENING) + 5)


def test_turns_are_dropped_whole_and_the_oldest_first():
    assert [len(turn) for turn in split_turns([AssistantTurn("Hi"), *ITEMS])] == [1, 5, 1]
    many = [item for n in range(40) for item in (UserTurn(f"question {n}"), FunctionCall("a", "{}"), ToolResult("b"), AssistantTurn("yes"))]
    ids = prompt([*many, UserTurn("last")], (), 400)
    text = tiny.tokenizer().decode(ids)
    assert len(ids) <= 400
    assert ids[: len(OPENING)] == OPENING
    assert text.endswith("user\nlast\nassistant\n")
    assert text.split(".\n", 1)[1].startswith("user\nquestion ")
    assert "question 39" in text


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 400))
def test_what_is_kept_fits_and_begins_the_same_for_several_turns(lengths: list[int], space: int):
    gone = dropped_turns(lengths, space)
    assert gone < len(lengths)
    assert sum(lengths[gone:]) <= space or gone == len(lengths) - 1
    assert gone == 0 if sum(lengths) <= space else True
    starts = [dropped_turns(lengths[: n + 1], space) for n in range(len(lengths))]
    assert starts == sorted(starts)
    if max(lengths) * 4 <= space:
        assert len(set(starts)) <= 1 + max(0, sum(lengths) - space) // (space // 4) + 1
