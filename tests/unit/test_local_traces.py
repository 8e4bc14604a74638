"""The OTLP receiver: protobuf and JSON in, bounded memory, turns across services out."""

import gzip
import json
import time
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode
from starlette.testclient import TestClient

from a2serve.local.traces.receiver import Receiver
from a2serve.local.traces.spans import BODY_LIMIT_BYTES, BadExport, Span, read_export
from a2serve.local.traces.store import SpanStore
from a2serve.local.traces.turns import turns
from a2serve.telemetry import names

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def span(name: str, start_ms: int, end_ms: int, span_id: str, parent_id: str = "", service: str = "a2-gateway", **attributes: Any) -> Span:
    dotted = {f"a2.{key}": value for key, value in attributes.items()}
    return Span("t", span_id, parent_id, name, service, start_ms * 1_000_000, end_ms * 1_000_000, dotted)


def exported() -> bytes:
    """Body that a service's exporter sends: one failed span with attributes of every kind."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource.create({"service.name": "a2-gateway"}))
    provider.add_span_processor(SimpleSpanProcessor(kept))
    attributes = {"a2.response_id": "r1", "a2.cut_ms": 7, "share": 0.5, "final": True, "list": ["a", "b"]}
    made = provider.get_tracer("test").start_span("work", attributes=attributes, start_time=1_000_000)
    made.set_status(Status(StatusCode.ERROR, "no capacity"))
    made.end(3_000_000)
    spans: tuple[ReadableSpan, ...] = kept.get_finished_spans()
    return encode_spans(spans).SerializeToString()


def page_export(**changes: Any) -> dict[str, Any]:
    """Body that a browser sends: ids in hex, 64-bit numbers as strings."""
    one = {
        "traceId": TRACE_ID,
        "spanId": SPAN_ID,
        "name": names.SPAN_WEB_PLAYBACK,
        "kind": 1,
        "startTimeUnixNano": "1000000",
        "endTimeUnixNano": "5000000",
        "attributes": [{"key": "a2.underruns", "value": {"intValue": "2"}}],
        **changes,
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "a2-web"}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "page"}, "spans": [one]}]}]}


def test_protobuf_export() -> None:
    (read,) = read_export(exported(), PROTOBUF)
    assert (read.name, read.service, read.error, read.parent_id) == ("work", "a2-gateway", "no capacity", "")
    assert (read.start_ns, read.end_ns, len(read.trace_id), len(read.span_id)) == (1_000_000, 3_000_000, 32, 16)
    assert {key: read.attributes[key] for key in ("a2.response_id", "a2.cut_ms", "share", "final")} == {
        "a2.response_id": "r1",
        "a2.cut_ms": 7,
        "share": 0.5,
        "final": True,
    }
    assert '"a"' in str(read.attributes["list"])


def test_json_export_has_ids_in_hex() -> None:
    (read,) = read_export(json.dumps(page_export(parentSpanId="00f067aa0ba902b7", unknownField=1)).encode(), JSON)
    assert (read.trace_id, read.span_id, read.parent_id) == (TRACE_ID, SPAN_ID, "00f067aa0ba902b7")
    assert (read.service, read.attributes) == ("a2-web", {"a2.underruns": 2})


def test_gzip() -> None:
    body = exported()
    assert read_export(gzip.compress(body, mtime=0), PROTOBUF, "gzip") == read_export(body, PROTOBUF)


@pytest.mark.parametrize(
    ("body", "media_type", "encoding"),
    [
        (b"\xff\xff", PROTOBUF, ""),
        (b"{", JSON, ""),
        (b"[]", JSON, ""),
        (b'{"resourceSpans": [1]}', JSON, ""),
        (json.dumps(page_export(traceId="zz")).encode(), JSON, ""),
        (json.dumps(page_export(spanId="ab")).encode(), JSON, ""),
        (json.dumps(page_export(spanId=7)).encode(), JSON, ""),
        (json.dumps(page_export(startTimeUnixNano="soon")).encode(), JSON, ""),
        (b"[" * 100_000, JSON, ""),
        (b"hello", "text/plain", ""),
        (b"", "", ""),
        (b"not gzip", PROTOBUF, "gzip"),
        (gzip.compress(b"x" * 1000, mtime=0)[:-9], PROTOBUF, "gzip"),
        (gzip.compress(bytes(BODY_LIMIT_BYTES + 1), mtime=0), PROTOBUF, "gzip"),
    ],
)
def test_what_is_not_an_export_is_refused(body: bytes, media_type: str, encoding: str) -> None:
    with pytest.raises(BadExport):
        read_export(body, media_type, encoding)


def test_the_oldest_spans_leave_first() -> None:
    store = SpanStore(limit=3)
    assert store.add(span("s", i, i, str(i)) for i in range(5)) == 5
    assert [kept.span_id for kept in store.all()] == ["2", "3", "4"]
    assert (store.received, store.dropped) == (5, 2)


def test_a_turn_is_one_waterfall_across_web_gateway_and_inference() -> None:
    ids = {"response_id": "r1", "session_id": "s1", "tenant": "dev"}
    (turn,) = turns(
        [
            span(names.SPAN_INFERENCE_LISTEN, 900, 950, "l", "elsewhere", "a2-inference", utterance_id="u1"),
            span(names.SPAN_ENDPOINTING, 1000, 1200, "e", "t"),
            span(names.SPAN_INFERENCE_PREFILL, 1220, 1300, "p", "i", "a2-inference"),
            span(names.SPAN_INFERENCE_RESPOND, 1210, 1900, "i", "f", "a2-inference", finish_reason="completed"),
            span(names.SPAN_FIRST_PACKET, 1200, 1400, "f", "t"),
            span(names.SPAN_TURN, 1000, 4000, "t", "session", utterance_id="u1", status="completed", **ids),
            span(names.SPAN_WEB_PLAYBACK, 1450, 3950, "w", "", "a2-web", response_id="r1"),
        ]
    )
    assert (turn["response_id"], turn["session_id"], turn["tenant"], turn["status"]) == ("r1", "s1", "dev", "completed")
    assert (turn["began_ms"], turn["duration_ms"]) == (900, 3100)
    assert [(bar["name"].rpartition(".")[2], bar["depth"], bar["start_ms"]) for bar in turn["bars"]] == [
        ("listen", 0, 0),
        ("turn", 0, 100),
        ("endpointing", 1, 100),
        ("first_packet", 1, 300),
        ("respond", 2, 310),
        ("prefill", 3, 320),
        ("playback", 0, 550),
    ]


def test_the_turns_of_a_session_stay_apart_and_the_newest_comes_first() -> None:
    spans = [span(names.SPAN_TURN, i * 10, i * 10 + 5, f"t{i}", "session", response_id=f"r{i}") for i in range(4)]
    spans.append(span(names.SPAN_SESSION, 0, 100, "session", session_id="s1"))
    assert [turn["response_id"] for turn in turns(spans, limit=3)] == ["r3", "r2", "r1"]


def test_spans_of_no_response_are_left_out() -> None:
    assert turns([span("GET /healthz", 0, 1, "h"), span(names.SPAN_INFERENCE_LISTEN, 0, 1, "l", utterance_id="u1")]) == []


def test_a_span_that_is_its_own_parent_harms_nobody() -> None:
    (turn,) = turns([span("odd", 0, 1, "o", "o", response_id="r1"), span("good", 0, 1, "g", response_id="r1")])
    assert [bar["name"] for bar in turn["bars"]] == ["good"]


def test_ten_thousand_spans_are_no_work() -> None:
    spans = [span("s", i, i + 1, f"s{i}", f"s{i - 1}" if i % 10 else "", response_id=f"r{i // 10}") for i in range(10_000)]
    began_s = time.process_time()
    assert len(turns(spans)) == 50
    assert time.process_time() - began_s < 2  # 0.05 s on a free core


def test_the_receiver_over_http() -> None:
    with TestClient(Receiver(SpanStore()).app) as client:
        headers = {"content-type": PROTOBUF, "content-encoding": "gzip"}
        response = client.post("/v1/traces", content=gzip.compress(exported(), mtime=0), headers=headers)
        assert (response.status_code, response.content, response.headers["content-type"]) == (200, b"", PROTOBUF)
        page = page_export(attributes=[{"key": "a2.response_id", "value": {"stringValue": "r1"}}])
        response = client.post("/v1/traces", json=page, headers={"content-type": "application/json; charset=utf-8"})
        assert (response.status_code, response.json()) == (200, {})
        shown = client.get("/debug/turns").json()
        assert (len(shown["turns"]), shown["spans_received"], shown["spans_dropped"]) == (1, 2, 0)
        assert [bar["service"] for bar in shown["turns"][0]["bars"]] == ["a2-web", "a2-gateway"]
        assert client.get("/debug/turns").json() == shown
        assert "<title>A2-LLM Serve: debug</title>" in client.get("/debug").text
        assert client.get("/healthz").json() == {"status": "ok"}


def test_the_receiver_says_what_is_wrong() -> None:
    with TestClient(Receiver().app) as client:
        response = client.post("/v1/traces", content=b"{", headers={"content-type": JSON})
        assert (response.status_code, response.headers["content-type"]) == (400, "application/problem+json")
        assert "not an export request" in response.json()["detail"]
        assert client.post("/v1/traces", content=bytes(BODY_LIMIT_BYTES + 1), headers={"content-type": PROTOBUF}).status_code == 413
        assert client.get("/v1/traces").status_code == 405


def test_every_class_of_the_page_has_a_colour() -> None:
    """The page colours bars by service, and names services as telemetry does."""
    from a2serve.local.traces.receiver import PAGE

    text = PAGE.read_text()
    assert all(f".{service} {{ background" in text for service in (names.SERVICE_WEB, names.SERVICE_GATEWAY, names.SERVICE_INFERENCE))
