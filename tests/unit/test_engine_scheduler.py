"""Responses in, a plan out: who goes on, what is read of prompts, who reads ahead. And the engine does what a plan says."""

from dataclasses import replace

import pytest
from support.models import tiny

from a2llm.engine import Chunk, Engine, Plan, Response, TextSampling, everybody, pack
from a2llm.engine.scheduler import pack_prompts
from a2llm.language.chat import find_persona
from a2llm.messages import ResponseOptions, UserTurn

AT_ONCE = 48


class Unread:
    """A response of which the scheduler sees so many unread ids of its prompt."""

    begun, is_low_on_words = False, False

    def __init__(self, tokens: int) -> None:
        self.text = self
        self.unread = [0] * tokens


class Begun:
    """A response whose prompt has been read."""

    begun = True

    def __init__(self, low: bool) -> None:
        self.is_low_on_words = low


def read(*sizes: int) -> list[tuple[int, int]]:
    """Prompts of these lengths that are read, and how much of each."""
    prompts = [Unread(size) for size in sizes]
    chunks = pack_prompts(prompts, AT_ONCE)  # pyright: ignore[reportArgumentType]
    return [(prompts.index(chunk.response), chunk.tokens) for chunk in chunks]  # pyright: ignore[reportArgumentType]


def test_prompts_share_a_pass_as_long_as_they_fit():
    assert read(10, 20, 18) == [(0, 10), (1, 20), (2, 18)]
    assert read(10, 20, 19) == [(0, 10), (1, 20)]


def test_a_prompt_that_needs_more_passes_waits_for_those_that_need_fewer():
    assert read(200, 30) == [(1, 30)]
    assert read(200, 60, 100) == [(1, AT_ONCE)]


def test_a_long_prompt_is_read_in_pieces_and_alone():
    assert read(200) == [(0, AT_ONCE)]
    assert read(200, 200) == [(0, AT_ONCE)], "of two alike, the one that came first"


def test_nothing_to_read_is_no_chunk():
    assert read() == []


def test_begun_responses_go_on_and_those_low_on_words_read_ahead_paused_or_not():
    fresh, low, full, paused_low, paused_full = Unread(5), Begun(True), Begun(False), Begun(True), Begun(False)
    plan = pack([fresh, low, full], AT_ONCE, [paused_low, paused_full], 4)  # pyright: ignore[reportArgumentType]
    assert plan == Plan((low, full), (Chunk(fresh, 5),), (low, paused_low), 4)  # pyright: ignore[reportArgumentType]
    assert plan.responses == [low, full, fresh]


def test_a_plan_is_not_changed():
    with pytest.raises(AttributeError):
        Plan(()).go_on = ()  # pyright: ignore[reportAttributeAccessIssue]


def engine(slots: int) -> Engine:
    return Engine(replace(tiny.parts()), slots, 512, text_sampling=TextSampling(max_tokens=14))


def asked(runner: Engine, count: int) -> list[Response]:
    ada = find_persona("ada")
    return [runner.respond(runner.open_conversation(ada), [UserTurn("Hello")], ResponseOptions(seed)) for seed in range(count)]


def test_who_is_in_no_plan_does_not_change():
    runner = engine(2)
    mine, other = asked(runner, 2)
    while not mine.done:
        runner.step(pack([mine], runner.tokens_at_once))
    assert (other.begun, other.tokens, other.media.samples) == (False, [], 0)
    assert runner.responses == (other,)


def test_an_empty_plan_does_nothing():
    runner = engine(1)
    [mine] = asked(runner, 1)
    assert runner.step(Plan(())) == [] and not mine.begun
    assert engine(1).step(everybody(engine(1))) == []


def test_a_plan_reads_as_much_of_a_prompt_as_it_says():
    runner = engine(1)
    [mine] = asked(runner, 1)
    unread = len(mine.text.unread)
    runner.step(Plan((), (Chunk(mine, 7),)))
    assert (len(mine.text.unread), len(mine.conversation.cached), mine.begun) == (unread - 7, 7, False)


def test_no_pass_is_made_for_those_that_only_read_ahead():
    runner = engine(2)
    mine, paused = asked(runner, 2)
    while not (mine.begun and paused.begun):
        runner.step(everybody(runner))
    while mine.needs_token:
        runner.step(pack([mine], runner.tokens_at_once))
    drawn = len(paused.tokens)
    runner.step(Plan((mine,), (), (paused,)))
    assert len(paused.tokens) == drawn
