"""The receiver as an ASGI app: POST /v1/traces (OTLP over HTTP), GET /debug (the page), /debug/turns and /debug/servers (its data)."""

from collections.abc import Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from a2serve.local.traces.servers import ask_servers
from a2serve.local.traces.spans import BODY_LIMIT_BYTES, BadExport, read_export
from a2serve.local.traces.store import SpanStore
from a2serve.local.traces.turns import turns

PAGE = Path(__file__).with_name("debug.html")


class Receiver:
    """One store and the routes to it."""

    def __init__(self, store: SpanStore | None = None, servers: Mapping[str, str] | None = None) -> None:
        self.store, self._servers = store or SpanStore(), servers or {}
        self._shown: tuple[int, bytes] = (-1, b"")
        self.app = Starlette(
            routes=[
                Route("/v1/traces", self._take, methods=["POST"]),
                Route("/debug", self._page),
                Route("/debug/turns", self._turns),
                Route("/debug/servers", self._show_servers),
                Route("/healthz", self._health),
            ]
        )

    async def _take(self, request: Request) -> Response:
        """An empty answer of the same media type means that everything was taken (OTLP/HTTP)."""
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        body = await _body(request)
        if body is None:
            return _problem(413, f"a request may have {BODY_LIMIT_BYTES} bytes")
        try:
            self.store.add(read_export(body, media_type, request.headers.get("content-encoding", "").lower()))
        except BadExport as error:
            return _problem(400, str(error))
        return Response(b"{}" if media_type == "application/json" else b"", media_type=media_type)

    async def _turns(self, _: Request) -> Response:
        """Made again only when spans came in: a page that is open asks every few seconds."""
        if self._shown[0] != self.store.version:
            shown = {"turns": turns(self.store.all()), "spans_received": self.store.received, "spans_dropped": self.store.dropped}
            self._shown = (self.store.version, bytes(JSONResponse(shown).body))
        return Response(self._shown[1], media_type="application/json", headers={"cache-control": "no-store"})

    async def _show_servers(self, _: Request) -> Response:
        """Asked anew each time: a page that is open asks every few seconds."""
        return JSONResponse(await ask_servers(self._servers), headers={"cache-control": "no-store"})

    async def _page(self, _: Request) -> Response:
        return FileResponse(PAGE, media_type="text/html", headers={"cache-control": "no-store"})

    async def _health(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})


async def _body(request: Request) -> bytes | None:
    """None if it is larger than the limit, however it was announced."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            return None
    return bytes(body)


def _problem(status: int, detail: str) -> Response:
    return JSONResponse({"title": "bad trace export", "status": status, "detail": detail}, status, media_type="application/problem+json")
