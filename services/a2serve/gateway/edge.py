"""Around every request: its id, its log line, its metrics, the limit of its body, and the answer when we are at fault."""

import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway import request_context
from a2serve.gateway.rest.problem_responses import BodyTooLarge, problem_response
from a2serve.telemetry import names

log = logging.getLogger(__name__)
QUIET = ("/healthz", "/readyz", "/statusz", "/metrics")  # asked every few seconds


class RequestMetrics:
    """Counted by route template, never by path or tenant: both have no bound."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = (names.LABEL_METHOD, names.LABEL_ROUTE, names.LABEL_STATUS)
        self.requests = Counter(names.METRIC_GATEWAY_REQUESTS, "HTTP requests answered", labels, registry=registry)
        self.seconds = Histogram(
            names.METRIC_GATEWAY_REQUEST_SECONDS, "until the whole answer was sent", (names.LABEL_ROUTE,),
            buckets=names.BUCKETS_LATENCY_SECONDS, registry=registry,
        )  # fmt: skip


class Edge:
    """ASGI middleware; outermost but for what the server itself does."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, body_limit_bytes: int) -> None:
        self._app, self._metrics, self._limit = app, metrics, body_limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        context = request_context.begin(Headers(scope=scope).get("x-request-id"))
        answer = _Answer(send, context.request_id)
        async with context.at_end:
            if scope["type"] == "websocket":
                await self._app(scope, receive, answer.send)
                return
            started_s = time.perf_counter()
            await self._serve(scope, receive, answer)
            self._tell(scope, answer.status, time.perf_counter() - started_s)

    async def _serve(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            if int(Headers(scope=scope).get("content-length") or 0) > self._limit:
                detail = BodyTooLarge(self._limit).detail
                return await problem_response(Problem(Code.BODY_TOO_LARGE, detail))(scope, receive, answer.send)
            await self._app(scope, _bounded(receive, self._limit), answer.send)
        except Exception:
            log.exception("a defect")
            if not answer.status:
                await problem_response(Problem(Code.INTERNAL, "this is our fault; quote the request_id"))(scope, receive, answer.send)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = getattr(scope.get("route"), "path", "none"), scope["method"]
        with suppress(ValueError):
            self._metrics.requests.labels(method if method.isalpha() else "other", route, status).inc()
            self._metrics.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if scope["path"] in QUIET else logging.INFO
        log.log(level, "%s %s", method, scope["path"], extra={"status": status, "ms": round(seconds * 1000, 1)})


class _Answer:
    """Adds the request's id to the answer and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self._request_id, self.status = send, request_id, 0

    async def send(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            self.status = message.get("status", 101)
            MutableHeaders(scope=message)["x-request-id"] = self._request_id
        await self._send(message)


def _bounded(receive: Receive, limit_bytes: int) -> Callable[[], Awaitable[Message]]:
    """A body without a stated length is counted as it comes."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        return message

    return counted
