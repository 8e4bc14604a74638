"""The small parts of a session: its clock and ids, and its span."""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NoOpTracer

from a2serve.gateway import request_context
from a2serve.gateway.realtime.session.clock import monotonic_ms, random_id
from a2serve.gateway.realtime.session.trace import SessionTrace
from a2serve.telemetry import names


def test_time_goes_forward_in_milliseconds_and_ids_are_of_their_kind() -> None:
    times = [monotonic_ms() for _ in range(100)]
    assert times == sorted(times) and times[-1] - times[0] < 60_000
    made = {random_id("item") for _ in range(1000)}
    assert len(made) == 1000 and all(each.startswith("item_") and len(each) == 25 and each[5:].isalnum() for each in made)


def test_a_session_s_span_is_what_its_turns_link_to() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    request_context.begin("req_1")
    trace = SessionTrace(provider.get_tracer("t"), "acme", "sess_1")
    (link,) = trace.links
    trace.end("client", turns=3)
    (span,) = exporter.get_finished_spans()
    assert link.context.span_id == span.context.span_id and span.parent is None
    assert dict(span.attributes) == trace.attributes | {names.ATTR_CLOSE_REASON: "client", names.ATTR_TURNS: 3}
    assert trace.attributes[names.ATTR_TENANT] == "acme"


def test_where_nothing_is_traced_nothing_is_linked() -> None:
    assert SessionTrace(NoOpTracer(), "acme", "sess_1").links == []
