"""The engine on a tiny model: what leaves is aligned, complete and nothing that a user does breaks it."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from support.models import tiny

from a2llm.affect import Affect
from a2llm.api import A2LLM
from a2llm.engine import Conversation, Engine, EngineFull, Response, TextSampling, everybody, pack
from a2llm.language.chat import find_persona
from a2llm.language.spoken_text import to_spoken
from a2llm.messages import AssistantTurn, FunctionCall, ResponseOptions, StepOutput, Tool, ToolResult, Usage, UserTurn

SHORT = TextSampling(max_tokens=14)
UNIT = 600
HELLO = [UserTurn("Hello")]


def engine(slots: int = 1, context: int = 512, text: TextSampling = SHORT, **other) -> Engine:
    return Engine(replace(tiny.parts(), **other), slots, context, text_sampling=text)


def talk(runner: Engine) -> Conversation:
    return runner.open_conversation(find_persona("ada"))


def run(runner: Engine, response: Response, limit: int = 2000) -> list[StepOutput]:
    out: list[StepOutput] = []
    for _ in range(limit):
        if response.over:
            return out
        out += [output for owner, output in runner.step(everybody(runner)) if owner is response]
    raise AssertionError("the response does not end")


def ask(runner: Engine, conversation: Conversation, text: str = "Hello", seed: int = 1, affect: Affect | None = None):
    response = runner.open_stream(conversation, text, Affect(), seed, affect)
    return response, run(runner, response)


def respond(runner: Engine, conversation: Conversation | None, items: list, seed: int = 1, **options):
    response = runner.respond(conversation or talk(runner), items, ResponseOptions(seed, **options))
    return response, run(runner, response)


def sound(out: list[StepOutput]) -> np.ndarray:
    return np.concatenate([o.pcm for o in out])


@pytest.fixture(scope="module")
def answered() -> tuple[Response, list[StepOutput]]:
    runner = engine()
    return ask(runner, talk(runner))


def test_pieces_are_contiguous_and_aligned(answered):
    response, out = answered
    at = 0
    for piece in out:
        assert piece.pts_samples == at
        assert piece.pcm.dtype == piece.motion.dtype == np.float32
        assert len(piece.pcm) == UNIT * len(piece.motion) > 0
        assert piece.motion.shape[1:] == (61,)
        assert np.isfinite(piece.pcm).all()
        assert np.isfinite(piece.motion).all()
        at += len(piece.pcm)
    assert [piece.last for piece in out] == [False] * (len(out) - 1) + [True]
    assert at == 1200 * response.talker.frame == 1200 * -(-sum(response.talker.durations) // 2)


def test_the_text_is_all_there_in_time(answered):
    response, out = answered
    assert " ".join(piece.text for piece in out if piece.text).split() == response.words
    assert response.words == to_spoken(tiny.tokenizer().decode(response.tokens[:-1])).split()
    starts = dict(reversed([(word, t) for t, word in zip(response.talker.phone_timings(), response.talker.phones.words, strict=True)]))
    shown = 0
    for piece in out[:-1]:
        end = (piece.pts_samples + len(piece.pcm)) // UNIT
        for _ in piece.text.split():
            assert piece.pts_samples // UNIT <= starts[shown].start < end if shown in starts else True
            shown += 1


def test_timings_cover_the_response(answered):
    response, _ = answered
    phones = response.talker.phone_timings()
    assert phones[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(phones))
    words = response.talker.word_timings(response.words)
    assert [w.start for w in words] == sorted(w.start for w in words)
    assert words[-1].end <= phones[-1].end


def test_same_seed_same_bytes_other_seed_other_sound(answered):
    again, other = (ask(runner, talk(runner), seed=seed)[1] for runner, seed in ((engine(), 1), (engine(), 2)))
    assert sound(again).tobytes() == sound(answered[1]).tobytes()
    assert b"".join(p.motion.tobytes() for p in again) == b"".join(p.motion.tobytes() for p in answered[1])
    assert sound(other).tobytes() != sound(again).tobytes()


@pytest.mark.parametrize("text", ["?", "你好", "🙂", "<b>", "word " * 400, "<|im_end|>", "x" * 2000])
def test_any_text_gets_an_answer(text: str):
    runner = engine(context=256)
    response, out = ask(runner, talk(runner), text)
    assert response.words
    assert sound(out).size
    assert out[-1].last
    assert len(response.conversation.cached) <= 256


class Muffled:
    """A backbone that only ever wants to write one token."""

    def __init__(self, token: int) -> None:
        self.token, self.inner = token, tiny.backbone()

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    def logits(self, hidden):
        logits = self.inner.logits(hidden).clone()
        logits[:, self.token] += 1000
        return logits


def test_a_response_is_never_empty():
    stop = tiny.tokenizer().turn_end
    runner = engine(backbone=Muffled(stop))
    response, out = ask(runner, talk(runner))
    assert response.tokens[-1] == stop
    assert response.words == to_spoken(tiny.tokenizer().decode(response.tokens[:-1])).split()
    assert len(response.words) == 1  # one word is enough
    assert sound(out).size


def test_nothing_that_can_be_said_becomes_a_hum():
    star = tiny.tokenizer().encode("*")[0]
    runner = engine(backbone=Muffled(star), text=TextSampling(max_tokens=2))
    response, out = ask(runner, talk(runner))
    assert response.words == ["Hm."]
    assert "".join(o.text for o in out) == "Hm."


def test_the_affect_can_be_chosen_from_outside():
    runner = engine()
    response, _ = ask(runner, talk(runner), affect=Affect("anger", 0.9))
    assert response.affect == response.talker.style.affect == Affect("anger", 0.9)


def test_cancel_stops_at_once_and_the_conversation_goes_on():
    runner = engine(text=TextSampling(max_tokens=60))
    conversation = talk(runner)
    response = runner.open_stream(conversation, "Hello", Affect(), 1)
    while not runner.step(everybody(runner)):
        pass
    runner.cancel(response)
    assert response.over
    assert not response.done
    assert runner.step(everybody(runner)) == []
    kept = list(conversation.cached)
    assert response.tokens[:-1] == kept[-len(response.tokens) + 1 :]
    second, out = ask(runner, conversation, "Go on")
    assert conversation.cached[: len(kept)] == kept
    assert out[-1].last
    assert second.done
    runner.cancel(second)
    assert second.done
    assert not second.cancelled


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_cancel_at_any_moment(steps: int):
    runner = engine()
    conversation = talk(runner)
    runner.warm_up(conversation)
    response = runner.open_stream(conversation, "Hello", Affect(), 1)
    for _ in range(steps):
        runner.step(everybody(runner))
    runner.cancel(response)
    assert int(runner.cache.lengths[0]) == len(conversation.cached)
    assert ask(runner, conversation)[1][-1].last


def test_a_new_turn_cancels_the_response_in_progress():
    runner = engine()
    conversation = talk(runner)
    first = runner.open_stream(conversation, "Hello", Affect(), 1)
    runner.step(everybody(runner))
    second, out = ask(runner, conversation, "Wait")
    assert first.cancelled
    assert out[0].pts_samples == 0
    assert second.done


def test_used_up_context_starts_again():
    runner = engine(context=200)
    conversation = talk(runner)
    for turn in range(4):
        response, out = ask(runner, conversation, "Tell me more about it please", seed=turn)
        assert out[-1].last
        opening = response.prompt.opening
        assert conversation.cached[: len(opening)] == opening
        assert int(runner.cache.lengths[0]) == len(conversation.cached) <= 200


def test_slots_are_given_and_taken_back():
    runner = engine(slots=2)
    first, second = talk(runner), talk(runner)
    with pytest.raises(EngineFull):
        talk(runner)
    response = runner.open_stream(first, "Hello", Affect(), 1)
    runner.close_conversation(first)
    runner.close_conversation(first)
    assert response.cancelled
    third = talk(runner)
    assert (third.row, third.cached) == (first.row, [])
    with pytest.raises(EngineFull):
        talk(runner)
    with pytest.raises(ValueError, match="closed"):
        runner.open_stream(first, "Hello", Affect(), 1)
    assert ask(runner, third)[1][-1].last
    assert second.row != third.row


def test_the_five_lines():
    a2 = A2LLM(engine(), find_persona("ada"))
    out = list(a2.respond("Hello", seed=1))
    assert a2.response is not None
    assert " ".join(o.text for o in out if o.text).split() == a2.response.words
    with pytest.raises(ValueError, match="empty"):
        a2.respond("  ")


def test_a_response_that_was_left_ends_when_the_next_begins():
    a2 = A2LLM(engine(text=TextSampling(max_tokens=40)), find_persona("ada"))
    left = a2.respond("Hello", seed=1)
    next(left)
    second = a2.respond("Wait", seed=2)
    assert next(second).pts_samples == 0
    assert list(left) == []
    assert list(second)[-1].last
    a2.restart()
    assert next(a2.respond("Hello", seed=1)).pts_samples == 0


def test_what_the_cache_holds_is_not_read_again():
    runner = engine()
    conversation = talk(runner)
    first, _ = respond(runner, conversation, HELLO)
    again, _ = respond(runner, conversation, HELLO)
    assert first.usage.cached_tokens == 0
    assert again.usage.cached_tokens == again.usage.input_tokens - 1  # the last token is read again
    assert again.tokens == first.tokens
    more = [*HELLO, first.said, UserTurn("And you?")]
    third, _ = respond(runner, conversation, more)
    assert third.usage.cached_tokens >= first.usage.input_tokens
    assert len(runner.responses) == 0
    assert int(runner.cache.lengths[0]) == len(conversation.cached)


@pytest.mark.parametrize("before", [[], [HELLO], [HELLO, [UserTurn("Goodbye")]]])
def test_the_answer_does_not_depend_on_what_the_slot_held(before: list):
    runner = engine()
    conversation = talk(runner)
    for items in before:
        respond(runner, conversation, items)
    longer = [UserTurn("Hello"), AssistantTurn("Good morning."), UserTurn("Go on", Affect("joy", 0.7))]
    fresh, out = respond(engine(), None, longer)
    response, used = respond(runner, conversation, longer)
    assert response.tokens == fresh.tokens
    assert np.allclose(sound(used), sound(out), atol=1e-4)


def test_the_two_ways_of_asking_are_one():
    by_items = engine()
    conversation = talk(by_items)
    first, out = respond(by_items, conversation, HELLO, seed=1)
    _, more = respond(by_items, conversation, [*HELLO, first.said, UserTurn("And you?")], seed=2)
    simple = engine()
    slot = talk(simple)
    assert sound(ask(simple, slot)[1]).tobytes() == sound(out).tobytes()
    assert sound(ask(simple, slot, "And you?", seed=2)[1]).tobytes() == sound(more).tobytes()


def test_text_alone():
    runner = engine()
    response, out = respond(runner, None, HELLO, audio=False)
    assert " ".join(o.text for o in out if o.text) == " ".join(tiny.tokenizer().decode(response.tokens[:-1]).split())
    assert all(len(o.pcm) == len(o.motion) == o.pts_samples == 0 for o in out)
    assert [o.last for o in out] == [False] * (len(out) - 1) + [True]
    assert response.marks.first_audio_s is None


def test_options_of_one_response():
    runner = engine()
    short, _ = respond(runner, None, HELLO, max_output_tokens=3)
    assert len(short.tokens) == 3
    assert short.finish_reason == "max_output_tokens"
    runner = engine(slots=2)
    pair = [runner.respond(talk(runner), HELLO, ResponseOptions(seed, temperature=0.0)) for seed in (1, 2)]
    while runner.step(everybody(runner)) or runner.responses:
        pass
    assert pair[0].tokens == pair[1].tokens
    forced, _ = respond(engine(), None, HELLO, affect=Affect("anger", 0.9))
    assert forced.affect == Affect("anger", 0.9)
    for wrong in ({"max_output_tokens": 0}, {"temperature": 3.0}, {"seed": -1}):
        with pytest.raises(ValueError, match="must"):
            ResponseOptions(**wrong)


def test_usage_and_marks():
    response, out = respond(engine(), None, HELLO)
    marks = response.marks
    assert marks.prefill_done_s and marks.first_token_s and marks.first_audio_s
    assert marks.admitted_s < marks.prefill_done_s <= marks.first_token_s < marks.first_audio_s
    assert response.usage == Usage(len(response.prompt.ids), 0, len(response.tokens), round(len(sound(out)) / 24))


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city", "days"]}
TOOLS = (Tool("get_weather", "Weather of a place.", SCHEMA), Tool("stop_music", "Stop the music."))


@pytest.mark.parametrize(("choice", "audio"), [("required", True), ("get_weather", True), ("stop_music", False)])
def test_a_call_is_valid_and_silent(choice: str, audio: bool):
    runner = engine(slots=2, context=1024)
    other = runner.open_stream(talk(runner), "Hello", Affect(), 1)
    response = runner.respond(talk(runner), HELLO, ResponseOptions(audio=audio, tools=TOOLS, tool_choice=choice))
    heard: list[StepOutput] = []
    while runner.responses:
        heard += [output for owner, output in runner.step(everybody(runner)) if owner is response]
    [last] = heard
    assert last.last
    assert last.function_call is not None
    assert choice in (last.function_call.name, "required")
    assert [tool.name for tool in TOOLS].count(last.function_call.name) == 1
    if last.function_call.name == "get_weather":
        Draft202012Validator(SCHEMA).validate(json.loads(last.function_call.arguments))
    assert (len(last.pcm), last.text) == (0, "")
    assert response.finish_reason == "completed"
    assert other.done
    items = [*HELLO, response.said, ToolResult("sunny")]
    assert response.said == FunctionCall(last.function_call.name, last.function_call.arguments)
    after, out = respond(runner, response.conversation, items, tools=TOOLS)
    assert sound(out).size  # behind a result it speaks
    assert after.usage.cached_tokens > 0


def test_tools_that_are_not_to_be_used():
    runner = engine(context=1024)
    response, out = respond(runner, None, HELLO, tools=TOOLS, tool_choice="none")
    assert sound(out).size
    assert out[-1].function_call is None
    broken = (Tool("bad", "", {"properties": {"a": {"not": {}}}}),)
    with pytest.raises(ValueError, match="not supported"):
        runner.respond(response.conversation, HELLO, ResponseOptions(tools=broken))
    with pytest.raises(ValueError, match="no tool"):
        runner.respond(response.conversation, HELLO, ResponseOptions(tool_choice="required"))


def test_auto_calls_what_explains_the_words(monkeypatch: pytest.MonkeyPatch):
    runner = engine(context=1024)
    scores = {"get_weather": 5.0, "stop_music": -1.0}

    def likely(settings: list[str], text: str) -> list[float]:
        return [next((v for k, v in scores.items() if k.replace("_", " ") in s), 0.0) for s in settings]

    monkeypatch.setattr(runner._builder.tool_use.judge, "_scores", likely)
    response, out = respond(runner, None, HELLO, tools=TOOLS)
    assert out[-1].function_call is not None
    assert out[-1].function_call.name == "get_weather"
    scores["get_weather"] = 1.0
    assert respond(runner, response.conversation, HELLO, tools=TOOLS)[1][-1].function_call is None


def test_the_judge_reads_beside_everything_else():
    runner = engine()
    conversation = talk(runner)
    response = runner.open_stream(conversation, "Hello", Affect(), 1)
    out: list[StepOutput] = []
    while not response.over:
        before = list(conversation.cached)
        assert 0.0 < runner.turn_end_probability("Hello there how") < 1.0
        assert runner._builder.tool_use.judge.best(TOOLS, "how") in TOOLS
        assert conversation.cached == before
        out += [o for _, o in runner.step(everybody(runner))]
    alone = engine()
    assert sound(ask(alone, talk(alone))[1]).tobytes() == sound(out).tobytes()


def test_turn_end_is_the_same_however_the_transcript_grew():
    runner = engine()
    grown = [runner.turn_end_probability(text) for text in ("I want", "I want to go", "I want to go home.")][-1]
    assert grown == pytest.approx(engine().turn_end_probability("I want to go home"), rel=1e-4)
    assert runner.turn_end_probability(" ... ") == 0.0
    assert 0.0 < runner.turn_end_probability("word " * 500) < 1.0


class CountingBackbone:
    """Counts passes over the weights, and the tokens of the largest."""

    def __init__(self, tokens_at_once: int = 256) -> None:
        self._own, self.passes, self.largest, self.tokens_at_once = tiny.backbone(), 0, 0, tokens_at_once

    def __getattr__(self, name: str):
        return getattr(self._own, name)

    def forward(self, *arguments):
        self.passes, self.largest = self.passes + 1, max(self.largest, int(arguments[2].sum()))
        return self._own.forward(*arguments)


def passes(count: int) -> tuple[int, int]:
    """Passes for so many responses at once, and the tokens that they drew."""
    backbone = CountingBackbone()
    runner = engine(count, text=TextSampling(max_tokens=40), backbone=backbone)
    responses = [runner.open_stream(talk(runner), "Hello", Affect(), seed) for seed in range(count)]
    while not all(response.over for response in responses):
        runner.step(everybody(runner))
    return backbone.passes, sum(len(response.tokens) for response in responses)


def test_who_needs_a_word_soon_reads_along():
    """Or every response would have its own passes, since none needs its next word in the very step of another."""
    alone, tokens = passes(1)
    together, more = passes(4)
    assert alone == tokens == 40 and more == 160
    assert together < 1.6 * alone


def test_who_is_paused_reads_ahead_and_says_nothing():
    runner = engine(2)
    speaks, paused = (runner.respond(talk(runner), HELLO, ResponseOptions(seed)) for seed in (1, 2))
    while paused.affect is None:
        runner.step(everybody(runner))
    said, read = paused.media.samples, len(paused.tokens)
    while len(paused.tokens) == read and not speaks.over:
        assert all(owner is speaks for owner, _ in runner.step(pack([speaks], runner.tokens_at_once, paused=[paused])))
    assert len(paused.tokens) > read and paused.media.samples == said
    runner.cancel(speaks)
    alone = engine(1)
    whole = sound(run(alone, alone.respond(talk(alone), HELLO, ResponseOptions(2))))
    assert np.allclose(sound(run(runner, paused)), whole[said:], atol=1e-5)


def test_a_pass_reads_so_much_of_prompts_and_no_more():
    """And those of one who asks for much hold nobody up who asks for little."""
    backbone = CountingBackbone(tokens_at_once=48)
    runner = engine(5, backbone=backbone)
    much, more, first, last, half = (
        runner.respond(warm(runner), [UserTurn(text)], ResponseOptions(1))
        for text in ("word " * 70, "word " * 70, "Hi", "Hey", "word " * 18)
    )
    unread = len(much.text.unread)
    assert len(first.text.unread) + len(last.text.unread) < 48 < len(first.text.unread) + len(last.text.unread) + len(half.text.unread)
    assert len(half.text.unread) <= 48 < 2 * 48 < unread
    runner.step(everybody(runner))
    assert first.affect and last.affect and (len(much.text.unread), len(more.text.unread), half.affect) == (unread, unread, None)
    runner.step(everybody(runner))
    assert half.affect and len(much.text.unread) == unread
    runner.step(everybody(runner))
    assert (len(much.text.unread), len(more.text.unread)) == (unread - 48, unread), "of two alike, the one that came first"
    while more.affect is None:
        runner.step(everybody(runner))
    assert much.affect and backbone.largest <= 48 + 4, "and a token for each of the others"


def warm(runner: Engine) -> Conversation:
    conversation = talk(runner)
    runner.warm_up(conversation)
    return conversation
