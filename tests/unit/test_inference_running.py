"""A response that runs in a replica: its progress by the clock, its outputs, and what it says at the end. On a tiny engine."""

import pytest
from support.models import tiny

from a2llm.engine import Engine, TextSampling, everybody
from a2llm.language.chat import find_persona
from a2llm.messages import ResponseOptions, ResponseRequest, Resume, StepOutput, Tool, UserTurn
from a2serve.inference.mailbox import Mailbox
from a2serve.inference.pace import Progress
from a2serve.inference.running import RunningResponse

ADA = find_persona("ada")


def started(burst: bool = False, **options: object) -> tuple[Engine, RunningResponse]:
    engine = Engine(tiny.parts(), 1, 1024, text_sampling=TextSampling(max_tokens=14))
    asked = ResponseOptions(1, **options)  # pyright: ignore[reportArgumentType]
    request = ResponseRequest("s", "r", (UserTurn("Hello"),), asked, burst=burst).answered_by(ADA)
    mailbox = Mailbox()
    response = engine.respond(engine.open_conversation(ADA), request.items, asked)
    return engine, RunningResponse(request, mailbox, response, 24_000)


def played(engine: Engine, running: RunningResponse) -> list[StepOutput]:
    """All its outputs."""
    found: list[StepOutput] = []
    while not running.response.over:
        found += [running.output(made) for _, made in engine.step(everybody(engine))]
    return found


def test_it_waits_until_its_first_sound_and_then_has_a_lead():
    engine, running = started(burst=True)
    opened_s = running.mailbox.opened_s
    assert running.waits and running.progress(opened_s + 2.0) == Progress(0.0, 0.0, 2.0)
    while running.waits:
        engine.step(everybody(engine))
    first_s, made_s = running.response.marks.first_audio_s, running.response.media.samples / 24_000
    assert first_s is not None
    after = running.progress(first_s + 0.01)
    assert (after.made_s, after.waits_s, after.burst) == (made_s, None, True)
    assert after.lead_s == pytest.approx(made_s - 0.01)


def test_what_was_delivered_elsewhere_is_no_lead():
    engine, whole = started()
    outputs = played(engine, whole)
    half = outputs[: len(outputs) // 2]
    samples = sum(len(output.pcm) for output in half)
    had = Resume(tuple(t for o in half for t in o.tokens), sum(len(o.text.split()) for o in half), samples)
    engine, running = started(resume=had, affect=outputs[0].affect)
    rest = played(engine, running)
    first_s = running.response.marks.first_audio_s
    assert first_s is not None
    assert running.progress(first_s).lead_s == pytest.approx(sum(len(output.pcm) for output in rest) / 24_000)


def test_the_affect_is_in_the_first_output_and_the_end_in_the_last():
    engine, running = started()
    running.note_step(0.25)
    outputs = played(engine, running)
    assert [output.affect is not None for output in outputs] == [True] + [False] * (len(outputs) - 1)
    assert [output.done is not None for output in outputs] == [False] * (len(outputs) - 1) + [True]
    done = outputs[-1].done
    assert done and done.text == " ".join(output.text for output in outputs if output.text)
    assert done.usage == outputs[-1].usage and done.timings.compute_ms == 250
    times = done.timings
    assert 0 < times.queue_ms < times.prefill_ms <= times.first_token_ms <= times.first_audio_ms


def test_a_call_gets_a_name_of_its_own():
    tools = (Tool("dim", "Dim the light."),)
    ids = set[str]()
    for _ in range(2):
        [output] = played(*started(tools=tools, tool_choice="dim"))
        assert output.function_call and output.function_call.name == "dim" and output.done
        assert output.done.reason == "completed" and output.done.timings.first_audio_ms == 0
        ids.add(output.function_call.call_id)
    assert len(ids) == 2 and all(name.startswith("call_") for name in ids)


def test_a_response_that_is_stopped_says_so_and_what_it_said():
    engine, running = started()
    heard: list[StepOutput] = []
    while not heard:
        heard = [made for _, made in engine.step(everybody(engine))]
    engine.cancel(running.response)
    assert (running.done().reason, running.done().text) == ("cancelled", heard[0].text)
