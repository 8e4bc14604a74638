"""The engine behind its thread, on a tiny model: streams, cancellation, refusal, pace, failure."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest
from support.models import tiny

from a2llm.engine import Engine, TextSampling
from a2llm.language.chat import ChatTemplate, find_persona
from a2llm.messages import (
    AppendRequest,
    AssistantTurn,
    Done,
    EngineDown,
    GivenWords,
    Refused,
    ResponseOptions,
    ResponseRequest,
    ResponseUnknown,
    Resume,
    StepOutput,
    UserTurn,
    WordsMissing,
    parse_tools,
)
from a2serve.inference import running
from a2serve.inference.engine_client import LocalEngine
from a2serve.inference.engine_core import EngineCore
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.mailbox import Delivery
from a2serve.inference.metrics import Metrics
from a2serve.inference.pace import Pace
from a2serve.inference.scheduler import MOST_UNREAD
from a2serve.telemetry import names

ADA = find_persona("ada")
HELLO = (UserTurn("Hello"),)
parts = cache(tiny.parts)  # one test after the other: nothing in them belongs to an engine


EAGER = Pace(100.0, 100.0, 8)  # far enough ahead to never wait; the same sound on a busy machine


@dataclass
class Bench:
    """A running engine and what a test looks at."""

    engine: LocalEngine
    metrics: Metrics
    core: EngineCore
    model: Engine
    failures: list[bool] = field(default_factory=list)


@asynccontextmanager
async def bench(slots: int = 2, pace: Pace = EAGER, tokens: int = 14, kept: int = 0) -> AsyncIterator[Bench]:
    metrics, failures = Metrics(), []
    model = Engine(parts(), slots, 1024, text_sampling=TextSampling(max_tokens=tokens))
    model.keep_prefixes(kept)
    core = EngineCore(model, pace, metrics)
    host = EngineHost(lambda: core, lambda: failures.append(True))
    await host.start()
    try:
        yield Bench(LocalEngine(host, slots, metrics), metrics, core, model, failures)
    finally:
        await host.stop()


def run(scenario: Callable[[], object]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def ask(session: str = "s", seed: int = 1, items: tuple = HELLO, burst: bool = False, **options) -> ResponseRequest:
    return ResponseRequest(session, f"r-{session}-{seed}", items, ResponseOptions(seed, **options), burst=burst).answered_by(ADA)


async def read(pieces: AsyncGenerator[StepOutput, None]) -> list[StepOutput]:
    return [piece async for piece in pieces]


def finish(pieces: list[StepOutput]) -> Done:
    assert [p.done is not None for p in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces[-1].done


def sound(pieces: list[StepOutput]) -> np.ndarray:
    return np.concatenate([p.pcm for p in pieces])


@pytest.mark.parametrize("audio", [True, False])
def test_every_piece_says_what_the_response_cost_until_then(audio: bool):
    async def scenario() -> None:
        async with bench() as made:
            pieces = await read(made.engine.respond(ask(audio=audio)))
            assert pieces[-1].usage == finish(pieces).usage
            at_ms = tokens = 0
            for piece in pieces:
                tokens += len(piece.tokens)
                at_ms += len(piece.pcm) * 1000 // 24_000
                assert piece.usage.input_tokens > 0
                assert piece.usage.output_audio_ms == at_ms
                assert piece.usage.output_text_tokens - tokens in (0, 1)  # the token that ends it is drawn, but not told

    run(scenario)


def gauge(metrics: Metrics, state: str) -> float:
    return metrics.slots.labels(state)._value.get()


def test_a_response_is_contiguous_and_complete():
    async def scenario():
        async with bench() as b:
            pieces = await read(b.engine.respond(ask()))
            end, at = finish(pieces), 0
            for piece in pieces:
                assert piece.pts_samples == at
                if len(piece.pcm):
                    assert len(piece.pcm) == 600 * len(piece.motion)
                    at += len(piece.pcm)
            assert [p.affect is not None for p in pieces] == [True] + [False] * (len(pieces) - 1)
            assert " ".join(p.text for p in pieces if p.text) == end.text
            assert end.reason in ("completed", "max_output_tokens")
            assert end.usage.output_audio_ms == at / 24
            assert end.usage.input_tokens > end.usage.cached_tokens == 0
            t = end.timings
            assert 0 < t.queue_ms < t.first_token_ms <= t.first_audio_ms
            assert t.compute_ms > 0
            assert (b.engine.speaking, gauge(b.metrics, "resting"), gauge(b.metrics, "free")) == (0, 1, 1)

    run(scenario)


def test_the_next_turn_reads_only_what_is_new():
    async def scenario():
        async with bench() as b:
            pieces = await read(b.engine.respond(ask()))
            first = finish(pieces)
            said = AssistantTurn(first.text, tuple(token for piece in pieces for token in piece.tokens))
            second = finish(await read(b.engine.respond(ask(items=(*HELLO, said, UserTurn("And then?"))))))
            assert second.usage.cached_tokens == first.usage.input_tokens + len(said.tokens)
            assert second.usage.input_tokens > second.usage.cached_tokens

    run(scenario)


def test_a_new_session_takes_over_what_another_has_read_of_the_same_instructions():
    tools = parse_tools('[{"type": "function", "name": "dim", "parameters": {"type": "object"}}]')

    async def scenario():
        async with bench(kept=1000) as b:
            first, again = [await read(b.engine.respond(ask(session))) for session in "ab"]
            assert finish(first).usage.cached_tokens == 0
            assert finish(again).usage.cached_tokens == len(ChatTemplate(tiny.tokenizer()).opening(ADA.instructions))
            np.testing.assert_allclose(sound(again), sound(first), atol=2e-3)
            calls = [await read(b.engine.respond(ask(session, tools=tools, tool_choice="dim"))) for session in "cd"]
            assert 0 == finish(calls[0]).usage.cached_tokens < finish(calls[1]).usage.cached_tokens
            assert calls[0][-1].function_call.arguments == calls[1][-1].function_call.arguments

    run(scenario)


def test_only_so_many_tokens_are_kept_and_nothing_that_is_too_long():
    words = {name: f"{name} " * 30 for name in ("one", "two", "three")}
    each = len(ChatTemplate(tiny.tokenizer()).opening(words["three"]))

    async def scenario():
        async with bench(slots=9, kept=2 * each + each // 2) as b:

            async def cached(instructions: str, session: str) -> int:
                asked = replace(ask(session), instructions=instructions)
                return finish(await read(b.engine.respond(asked))).usage.cached_tokens

            assert [await cached(words[name], name) for name in ("one", "two")] == [0, 0]
            assert await cached(words["one"], "2") > 0
            assert await cached(words["three"], "3") == 0  # "two" gives way: it was not asked for longest
            assert await cached(words["one"], "4") > 0 and await cached(words["two"], "5") == 0
            assert [await cached("word " * 3 * each, session) for session in "67"] == [0, 0]

    run(scenario)


def test_a_session_that_lost_its_slot_takes_its_conversation_up_again():
    async def scenario():
        async with bench(slots=1, kept=1000) as b, bench(slots=2) as other:

            async def talk(engine: LocalEngine, *between: str) -> list[StepOutput]:
                first = await read(engine.respond(ask("a")))
                for session in between:
                    await read(engine.respond(ask(session)))
                said = AssistantTurn(finish(first).text, tuple(token for piece in first for token in piece.tokens))
                return await read(engine.respond(ask("a", 2, items=(*HELLO, said, UserTurn("And then?")))))

            alone, crowded = await talk(other.engine), await talk(b.engine, "b", "c")
            assert finish(crowded).usage == finish(alone).usage
            np.testing.assert_allclose(sound(crowded), sound(alone), atol=2e-3)

    run(scenario)


def test_what_a_session_that_is_over_has_said_is_forgotten():
    async def scenario():
        async with bench(slots=1, kept=1000) as b:
            for session in "ab":
                await read(b.engine.respond(ask(session)))
            before = b.model.prefixes.tokens
            await b.engine.release("a")
            await b.engine.turn_end("so")  # the thread has taken the command
            assert b.model.prefixes.tokens < before
            again = finish(await read(b.engine.respond(ask("a"))))
            assert again.usage.cached_tokens == len(ChatTemplate(tiny.tokenizer()).opening(ADA.instructions))

    run(scenario)


def test_two_at_once_sound_as_they_do_alone():
    async def scenario():
        async with bench() as b:
            alone = [sound(await read(b.engine.respond(ask(s, seed)))) for seed, s in enumerate("ab")]
        async with bench() as b:
            together = await asyncio.gather(*(read(b.engine.respond(ask(s, seed))) for seed, s in enumerate("ab")))
        for pieces, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(sound(pieces), other, atol=2e-3)  # a batch rounds otherwise, and that is all
        assert alone[0].shape != alone[1].shape or np.abs(alone[0] - alone[1]).max() > 0.1

    run(scenario)


def test_closing_the_stream_frees_the_slot_at_once():
    async def scenario():
        async with bench(slots=1, tokens=80) as b:
            async with aclosing(b.engine.respond(ask("a"))) as pieces:
                await anext(pieces)
                assert b.engine.speaking == 1
            assert b.engine.speaking == 0
            assert finish(await read(b.engine.respond(ask("b"))))
            assert b.metrics.responses.labels("cancelled")._value.get() == 1

    run(scenario)


def test_a_full_replica_refuses_within_milliseconds():
    async def scenario():
        async with bench(slots=1, tokens=80) as b, aclosing(b.engine.respond(ask("a"))) as pieces:
            await anext(pieces)
            started = time.perf_counter()
            with pytest.raises(Refused, match="all 1 slots") as refused:
                await anext(b.engine.respond(ask("b")))
            assert time.perf_counter() - started < 0.05
            assert 200 <= refused.value.retry_after_ms <= 5000
            assert b.metrics.refused.labels("full")._value.get() == 1

    run(scenario)


def test_a_tenant_with_many_requests_leaves_the_next_slot_to_the_one_that_waits():
    def request_of(tenant: str, number: int, comes_back: bool = True) -> ResponseRequest:
        return replace(ask(f"{tenant}{number}"), tenant=tenant, comes_back=comes_back)

    async def refused(b: Bench, request: ResponseRequest) -> str:
        with pytest.raises(Refused) as error:
            await anext(b.engine.respond(request))
        return str(error.value)

    async def scenario():
        async with bench(slots=2, tokens=400) as b:
            speaking = [b.engine.respond(request_of("many", number)) for number in range(2)]
            for pieces in speaking:
                await anext(pieces)
            assert await refused(b, request_of("many", 2)) == await refused(b, request_of("one", 0)) == "all 2 slots are speaking"
            await refused(b, request_of("elsewhere", 0, comes_back=False))  # it asks another replica, so nothing is kept for it
            await speaking[0].aclose()
            kept = {await refused(b, request_of("many", number)) for number in range(2, 20)}
            assert kept == {"the slots that are free wait for other tenants"}
            async with aclosing(b.engine.respond(request_of("one", 0))) as pieces:
                await anext(pieces)
                await speaking[1].aclose()
                async with aclosing(b.engine.respond(request_of("many", 2))) as own:
                    await anext(own)  # its share, and nobody waits
            assert b.metrics.refused.labels("share")._value.get() == 18

    run(scenario)


def test_a_newer_response_of_the_session_ends_the_older():
    async def scenario():
        async with bench(slots=1, tokens=80) as b:
            older = b.engine.respond(ask())
            heard = [await anext(older)]
            newer = await read(b.engine.respond(ask(seed=2)))
            heard += await read(older)
            assert finish(heard).reason == "cancelled"
            assert finish(newer).reason != "cancelled"
            assert b.engine.speaking == 0

    run(scenario)


def test_release_forgets_the_session():
    async def scenario():
        async with bench(slots=1, tokens=80) as b:
            pieces = b.engine.respond(ask())
            heard = [await anext(pieces)]
            assert await b.engine.release("s")
            assert finish(heard + await read(pieces)).reason == "cancelled"
            assert not await b.engine.release("s")
            assert finish(await read(b.engine.respond(ask()))).usage.cached_tokens == 0

    run(scenario)


def test_a_silent_session_gives_way_to_a_new_one():
    async def scenario():
        async with bench(slots=1) as b:
            for session in "aba":
                assert finish(await read(b.engine.respond(ask(session)))).usage.cached_tokens == 0

    run(scenario)


def test_a_response_far_ahead_waits_unless_it_bursts():
    async def scenario():
        async with bench(pace=replace(EAGER, lead_s=0.2), tokens=40) as b:
            started = time.perf_counter()
            pieces = await read(b.engine.respond(ask()))
            paced_s = time.perf_counter() - started
            audio_s = finish(pieces).usage.output_audio_ms / 1000
            assert paced_s > audio_s - 0.4
            started = time.perf_counter()
            np.testing.assert_allclose(sound(await read(b.engine.respond(ask("t", burst=True)))), sound(pieces), atol=2e-3)
            assert time.perf_counter() - started < paced_s

    run(scenario)


def delivered(pieces: list[StepOutput]) -> Resume:
    tokens = tuple(token for piece in pieces for token in piece.tokens)
    return Resume(tokens, sum(len(p.text.split()) for p in pieces), sum(len(p.pcm) for p in pieces))


def test_a_resumed_response_is_replayed_at_full_speed_and_then_keeps_its_pace():
    """Delivered sound does not count as a lead, or the rest would wait for as long as that takes to hear."""

    async def scenario():
        async with bench(pace=replace(EAGER, lead_s=0.2, crowded_lead_s=0.2), tokens=60) as b:
            whole = await read(b.engine.respond(ask(burst=True)))
            half = len(whole) // 2
            had = delivered(whole[:half])
            rest_s = (finish(whole).usage.output_audio_ms - had.samples / 24) / 1000
            assert min(rest_s, had.samples / 24_000) > 0.6
            asked_s = time.perf_counter()
            resumed = b.engine.respond(ask("t", resume=had, affect=whole[0].affect))
            rest = [await anext(resumed)]
            first_s = time.perf_counter() - asked_s
            rest += await read(resumed)
            assert first_s < 0.5 * had.samples / 24_000
            assert time.perf_counter() - asked_s - first_s > rest_s - 0.4
            assert [(p.pts_samples, p.text, p.tokens, p.affect) for p in rest] == [
                (p.pts_samples, p.text, p.tokens, None) for p in whole[half:]
            ]
            np.testing.assert_allclose(sound(rest), sound(whole[half:]), atol=2e-3)
            assert (finish(rest).text, finish(rest).reason) == (finish(whole).text, finish(whole).reason)
            assert replace(finish(rest).usage, cached_tokens=0) == replace(finish(whole).usage, cached_tokens=0)
            observed = b.metrics.registry.get_sample_value(f"{names.METRIC_INFERENCE_FIRST_AUDIO_SECONDS}_count")
            assert observed == 1  # the first sound of the resumed one was elsewhere

    run(scenario)


def test_a_resumed_response_that_cannot_be_is_refused_and_the_engine_goes_on():
    async def scenario():
        async with bench() as b:
            for tokens, why in (((10**6,), "vocabulary"), ((1,) * 99, "cannot go on")):
                with pytest.raises(ValueError, match=why):
                    await read(b.engine.respond(ask(resume=Resume(tokens, 0, 0))))
            with pytest.raises(ValueError, match="vocabulary"):
                await read(b.engine.respond(ask(items=(AssistantTurn("Hi", (10**6,)), *HELLO))))
            assert finish(await read(b.engine.respond(ask())))

    run(scenario)


def test_a_reader_that_stops_reading_is_not_filled_without_end():
    async def scenario():
        async with bench(tokens=400) as b, aclosing(b.engine.respond(ask(burst=True))) as pieces:
            await anext(pieces)
            for _ in range(40):
                await asyncio.sleep(0.05)
            running = next(iter(b.core._running.values()), None)
            assert running is None or running.unread <= MOST_UNREAD + 2  # a step may bring the last two

    run(scenario)


def test_a_failed_step_fails_everybody_with_the_reason():
    async def scenario():
        async with bench(tokens=80) as b:
            first = b.engine.respond(ask())
            await anext(first)

            def broken() -> list[Delivery]:
                raise RuntimeError("the model fell over")

            b.core.step = broken
            with pytest.raises(EngineDown, match="the model fell over"):
                await read(first)
            with pytest.raises(EngineDown, match="fell over"):
                await anext(b.engine.respond(ask("t")))
            with pytest.raises(EngineDown, match="fell over"):
                await b.engine.turn_end("hello")
            assert b.failures == [True]
            assert b.engine.speaking == 0

    run(scenario)


def test_the_turn_end_is_a_probability():
    async def scenario():
        async with bench() as b:
            probability = await b.engine.turn_end("What is the capital of France?")
            assert 0.0 <= probability <= 1.0

    run(scenario)


def test_a_bad_ask_is_an_error_of_its_own():
    async def scenario():
        async with bench(slots=1) as b:
            with pytest.raises(ValueError, match="no tools"):
                await anext(b.engine.respond(ask(tool_choice="required")))
            assert b.engine.speaking == 0
            assert finish(await read(b.engine.respond(ask())))

    run(scenario)


def test_text_alone_and_calls_have_no_sound():
    tool = parse_tools('[{"type": "function", "name": "dim", "parameters": {"type": "object", "properties": {"on": {"type": "boolean"}}}}]')

    async def scenario():
        async with bench() as b:
            text = await read(b.engine.respond(ask(audio=False)))
            assert not any(len(p.pcm) or len(p.motion) for p in text)
            assert " ".join(p.text for p in text if p.text) == finish(text).text != ""
            call = (await read(b.engine.respond(ask(tools=tool, tool_choice="dim"))))[-1].function_call
            assert (call.name, call.call_id[:5]) == ("dim", "call_")
            assert isinstance(json.loads(call.arguments), dict)

    run(scenario)


def test_given_words_come_while_it_speaks_and_waiting_costs_no_step():
    async def scenario() -> None:
        async with bench() as made:
            whole = await read(made.engine.respond(ask(given=GivenWords("One two three. Four.", True))))
            pieces = made.engine.respond(ask("t", given=GivenWords("One t")))
            out = [await anext(pieces)]
            assert (out[0].text, len(out[0].pcm), out[0].done) == ("", 0, None)
            await asyncio.sleep(0.05)
            steps = made.metrics.registry.get_sample_value(f"{names.METRIC_INFERENCE_STEP_SECONDS}_count")
            await asyncio.sleep(0.2)
            assert made.metrics.registry.get_sample_value(f"{names.METRIC_INFERENCE_STEP_SECONDS}_count") == steps
            assert made.engine.speaking == 1
            assert await made.engine.append(AppendRequest("t", "r-t-1", 5, "wo three.")) == 14
            assert await made.engine.append(AppendRequest("t", "r-t-1", 5, "wo three. Four.", over=True)) == 20
            out += await read(pieces)
            assert finish(out).text == finish(whole).text == "One two three. Four."
            np.testing.assert_array_equal(sound(out), sound(whole))

    run(scenario)


def test_words_for_a_response_that_is_not_spoken_are_refused():
    async def scenario() -> None:
        async with bench() as made:
            with pytest.raises(ResponseUnknown):
                await made.engine.append(AppendRequest("s", "r", 0, "word"))
            pieces = made.engine.respond(ask(given=GivenWords("One")))
            await anext(pieces)
            with pytest.raises(ResponseUnknown, match="begin at 9"):
                await made.engine.append(AppendRequest("s", "r-s-1", 9, "word"))
            await pieces.aclose()

    run(scenario)


def test_a_response_whose_words_do_not_come_ends_and_gives_its_slot_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(running, "LONGEST_SILENCE_S", 0.2)

    async def scenario() -> None:
        async with bench(slots=1) as made:
            with pytest.raises(WordsMissing):
                await read(made.engine.respond(ask(given=GivenWords("One two"))))
            assert made.engine.speaking == 0
            assert finish(await read(made.engine.respond(ask("other")))).text

    run(scenario)


def test_a_response_that_waits_for_words_turns_nobody_away():
    async def scenario() -> None:
        async with bench(slots=3, pace=Pace()) as made:
            waiting = [made.engine.respond(ask(session, given=GivenWords())) for session in "ab"]
            for pieces in waiting:
                await anext(pieces)
            assert finish(await read(made.engine.respond(ask("c", burst=True)))).text
            for pieces in waiting:
                await pieces.aclose()

    run(scenario)
