"""Spans of a turn and of a response: a trace of their own that continues the caller's, with phases one after the other."""

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from a2llm.messages import Done, Timings, Usage
from a2serve.gateway.realtime.response.turn_trace import TurnTrace
from a2serve.inference.spans import ResponsePhases, span
from a2serve.telemetry import names


@pytest.fixture
def made() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def tracer(made: InMemorySpanExporter):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(made))
    return provider.get_tracer("test")


def test_a_turn_begins_when_the_user_stopped(tracer, made: InMemorySpanExporter) -> None:
    turn = TurnTrace(tracer, {"a": "b"}, endpointing_ms=400.0)
    turn.part("wait", 100.0)
    context = turn.span.get_span_context()
    assert (
        turn.open and turn.traceparent == f"00-{turn.trace_id}-{context.span_id:016x}-{context.trace_flags:02x}" and context.trace_flags & 1
    )
    turn.end("cancelled", cut_ms=1200)
    spans = {each.name: each for each in made.get_finished_spans()}
    whole = spans[names.SPAN_TURN]
    assert not turn.open and dict(whole.attributes) == {"a": "b", names.ATTR_STATUS: "cancelled", names.ATTR_CUT_MS: 1200}
    ending = spans[names.SPAN_ENDPOINTING]
    assert ending.start_time == pytest.approx(whole.start_time, abs=5e6) and ending.end_time - ending.start_time == pytest.approx(
        4e8, abs=5e6
    )
    assert {each.parent.span_id for name, each in spans.items() if name != names.SPAN_TURN} == {whole.context.span_id}


def test_a_typed_turn_has_no_endpointing_and_an_untraced_one_no_parent() -> None:
    from opentelemetry.trace import NoOpTracer

    turn = TurnTrace(NoOpTracer(), {}, endpointing_ms=0.0)
    assert turn.traceparent is None and turn.trace_id == "0" * 32
    turn.end("completed", None)


def test_a_replica_continues_the_caller_s_trace(tracer, made: InMemorySpanExporter) -> None:
    caller = TurnTrace(tracer, {}, 0.0)
    metadata = [("traceparent", caller.traceparent), ("binary-bin", b"\x00")]
    with span(tracer, "respond", metadata, {"tenant": "acme"}) as served:
        phases = ResponsePhases(tracer, served)
        timings = Timings(queue_ms=1.0, prefill_ms=5.0, first_token_ms=7.0, first_audio_ms=0.0, compute_ms=3.0)
        phases.finished(Done("completed", "hi", Usage(3, 1, 2, 400), timings))
    spans = {each.name: each for each in made.get_finished_spans()}
    respond = spans["respond"]
    assert format(respond.context.trace_id, "032x") == caller.trace_id
    assert respond.attributes[names.ATTR_CACHED_TOKENS] == 1 and respond.attributes[names.ATTR_FINISH_REASON] == "completed"
    assert names.SPAN_INFERENCE_FIRST_AUDIO not in spans, "what never came is left out"
    prefill = spans[names.SPAN_INFERENCE_PREFILL]
    assert prefill.start_time == spans[names.SPAN_INFERENCE_ADMISSION].end_time and prefill.end_time - prefill.start_time == 4_000_000
