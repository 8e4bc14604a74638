"""Around every request: its id, its log line, its metrics, the bounds of its size and time, and the answer when we are at fault."""

import logging
import re
import time
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.gateway import request_context
from a2serve.gateway.edge.http_bounds import Connections
from a2serve.gateway.edge.problem_responses import problem_response
from a2serve.gateway.edge.request_bounds import RequestBounds
from a2serve.telemetry import names

log = logging.getLogger(__name__)
IDS = re.compile(r"(?:sess|cs|ek|a2)_[0-9A-Za-z_-]+")  # those of sessions and credentials, which a path may hold
QUIET = ("/healthz", "/readyz", "/statusz", "/metrics")  # asked every few seconds
API_POLICY = "default-src 'none'; frame-ancestors 'none'"  # nothing of an answer of the API is ever run or shown as a page


class RequestMetrics:
    """Counted by route template, never by path or tenant: both have no bound."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = (names.LABEL_METHOD, names.LABEL_ROUTE, names.LABEL_STATUS)
        self.requests = Counter(names.METRIC_GATEWAY_REQUESTS, "HTTP requests answered", labels, registry=registry)
        self.seconds = Histogram(
            names.METRIC_GATEWAY_REQUEST_SECONDS,
            "until the whole answer was sent",
            (names.LABEL_ROUTE,),
            buckets=names.BUCKETS_LATENCY_SECONDS,
            registry=registry,
        )


class Edge:
    """ASGI middleware, outside of everything but the server's own."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics, bounds: RequestBounds, connections: Connections) -> None:
        self._app, self._metrics, self._bounds, self._connections = app, metrics, bounds, connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        context = request_context.begin(Headers(scope=scope).get("x-request-id"))
        response = _TaggedResponse(send, context.request_id, scope["path"])
        async with context.at_end:
            if scope["type"] == "websocket":
                await self._serve_socket(scope, receive, response)
                return
            started_s = time.perf_counter()
            await self._serve(scope, receive, response)
            self._tell(scope, response.status, time.perf_counter() - started_s)

    async def _serve_socket(self, scope: Scope, receive: Receive, response: "_TaggedResponse") -> None:
        if self._connections.full:
            await WebSocket(scope, receive, response.send).send_denial_response(problem_response(_full()))
        else:
            await self._app(scope, receive, response.send)

    async def _serve(self, scope: Scope, receive: Receive, response: "_TaggedResponse") -> None:
        try:
            refusal = _full() if self._connections.full and scope["path"] not in QUIET else self._bounds.fault(scope)
            if refusal:
                closing = {} if refusal.code is Code.BODY_TOO_LARGE else {"connection": "close"}  # its client has to see the answer
                return await problem_response(refusal, headers=closing)(scope, receive, response.send)
            await self._app(scope, self._bounds.timed(receive), response.send)
        except ClientDisconnect:
            log.debug("the client left while it sent its body")
        except Exception:
            log.exception("a defect")
            if not response.status:
                await problem_response(Problem(Code.INTERNAL, "this is our fault; quote the request_id"))(scope, receive, response.send)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route, method = getattr(scope.get("route"), "path", "none"), scope["method"]
        with suppress(ValueError):
            self._metrics.requests.labels(method if method.isalpha() else "other", route, status).inc()
            self._metrics.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if scope["path"] in QUIET else logging.INFO
        log.log(level, "%s %s", method, IDS.sub("{id}", scope["path"]), extra={"status": status, "ms": round(seconds * 1000, 1)})


def _full() -> Problem:
    return Problem(Code.TOO_MANY_CONNECTIONS, "this replica has as many connections as it may", retry_after_ms=RETRY_AFTER_MS)


class _TaggedResponse:
    """Adds the request's id, and headers that restrict browsers, to every response; remembers its status."""

    def __init__(self, send: Send, request_id: str, path: str) -> None:
        self._send, self._request_id, self._is_api, self.status = send, request_id, path.startswith("/v1/"), 0

    async def send(self, message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept", "websocket.http.response.start"):
            self.status = message.get("status", 101)
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            if message["type"] != "websocket.accept":
                headers["x-content-type-options"] = "nosniff"
                if self._is_api:
                    headers["content-security-policy"] = API_POLICY
        await self._send(message)
