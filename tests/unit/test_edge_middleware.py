"""The outermost layer: every request has an id, every received its heads, every defect one kind of received."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry
from starlette.responses import PlainTextResponse

from a2serve.gateway import request_context
from a2serve.gateway.edge.http_bounds import Connections
from a2serve.gateway.edge.middleware import Edge, RequestMetrics
from a2serve.gateway.edge.request_bounds import RequestBounds

BOUNDS = RequestBounds(body_bytes=100, head_bytes=1000, url_bytes=100, pause_s=1.0, whole_s=1.0)


@dataclass
class Received:
    """The status, heads and body that an app sent."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


async def hello(scope: Any, receive: Any, send: Any) -> None:
    context = request_context.current()
    context.at_end.callback(lambda: logging.getLogger("test").info("closed %s", context.request_id))
    await PlainTextResponse("hello")(scope, receive, send)


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("secret detail")


def answered(app: Any = hello, *, path: str = "/v1/x", connections: int = 0, **headers: str) -> tuple[Received, CollectorRegistry]:
    registry, received = CollectorRegistry(), Received()
    edge = Edge(app, RequestMetrics(registry), BOUNDS, Connections(1, 0, [None] * connections))
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": raw}

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(edge(scope, receive, received.send))
    return received, registry


def test_an_answer_has_the_requests_id_and_what_browsers_may_do():
    given, _ = answered(x_request_id="mine-1")
    assert (given.status, given.body, given.headers["x-request-id"]) == (200, b"hello", "mine-1")
    assert given.headers["x-content-type-options"] == "nosniff" and "frame-ancestors 'none'" in given.headers["content-security-policy"]
    page, _ = answered(path="/", x_request_id="not plain!")
    assert page.headers["x-request-id"].startswith("req_") and "content-security-policy" not in page.headers


def test_what_a_request_holds_is_given_back_at_its_end(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        answered(x_request_id="mine-2")
    assert "closed mine-2" in caplog.messages


def test_a_defect_is_logged_and_told_without_its_detail(caplog: pytest.LogCaptureFixture):
    received, _ = answered(broken)
    assert (received.status, orjson.loads(received.body)["code"]) == (500, "internal_error")
    assert b"secret" not in received.body and "a defect" in caplog.messages


@pytest.mark.parametrize(("path", "status"), [("/v1/x", 503), ("/readyz", 200)])
def test_a_full_replica_answers_its_probes_alone(path: str, status: int):
    received, _ = answered(path=path, connections=2)
    assert received.status == status
    if status == 503:
        assert (orjson.loads(received.body)["code"], received.headers["connection"]) == ("too_many_connections", "close")


@pytest.mark.parametrize(
    ("headers", "code", "closes"),
    [
        ({"content_length": "101"}, "body_too_large", False),
        ({"x_long": "x" * 1000}, "headers_too_large", True),
        ({"content_length": "1", "transfer_encoding": "chunked"}, "invalid_request", True),
    ],
)
def test_bounds_are_told_by_name(headers: dict[str, str], code: str, closes: bool):
    received, _ = answered(**headers)
    assert (orjson.loads(received.body)["code"], received.headers.get("connection") == "close") == (code, closes)


def test_requests_are_counted_without_their_path():
    _, registry = answered(path="/v1/sessions/sess_secret")
    labels = [sample.labels for metric in registry.collect() for sample in metric.samples if sample.name.endswith("requests_total")]
    assert labels == [{"method": "GET", "route": "none", "status": "200"}]


def test_ids_are_not_logged(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO):
        answered(path="/v1/sessions/sess_0a1b/turns")
    assert "GET /v1/sessions/{id}/turns" in caplog.messages
