"""Tracing of a process: spans are sent where they are asked for, and only there; and what the garbage collector leaves alone."""

import gc
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from a2serve.telemetry.pauses import spare_what_is_loaded
from a2serve.telemetry.setup import start_tracing


class Receiver(HTTPServer):
    """An OTLP receiver that keeps what it is sent."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, ExportTraceServiceRequest]] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps the test's output clean."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join(10)


def test_spans_leave_for_the_receiver_with_the_service_s_name(receiver: Receiver) -> None:
    provider = start_tracing("a2-test", f"http://127.0.0.1:{receiver.server_port}/")
    with provider.get_tracer("t").start_as_current_span("one") as span:
        span.set_attribute("n", 3)
    provider.shutdown()
    ((path, request),) = receiver.taken
    (resource,) = request.resource_spans
    assert path == "/v1/traces", "the base URL's slash is not doubled"
    assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "a2-test"
    assert [span.name for span in resource.scope_spans[0].spans] == ["one"]


def test_without_a_receiver_spans_have_ids_and_go_nowhere() -> None:
    provider = start_tracing("a2-test")
    with provider.get_tracer("t").start_as_current_span("one") as span:
        assert span.get_span_context().is_valid
    assert provider.force_flush(1000)
    provider.shutdown()


def test_what_is_loaded_is_not_looked_at_again() -> None:
    program = "import gc, a2serve.telemetry.pauses as p; p.spare_what_is_loaded(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    frozen, seen = map(int, done.stdout.split())
    assert frozen > 1000 > seen
    gc.collect()
    before = gc.get_freeze_count()
    spare_what_is_loaded()
    assert gc.get_freeze_count() > before
    gc.unfreeze()  # the other tests of this process are collected as before
