"""Serves what is no API: the page, the heads, and on a machine of one's own the page's secret and /debug. Says who may call from where."""

import time
from pathlib import Path

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from a2serve.gateway.debug import LiveSession, debug_routes
from a2serve.gateway.realtime.connection.socket_route import RealtimeService
from a2serve.gateway.realtime.session.session import Session
from a2serve.gateway.rest import secret_routes
from a2serve.gateway.settings import GatewaySettings

# Worklets, textures of a head and its buffers are blobs; the page sets styles of elements.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self' ws: wss: data: blob:; worker-src 'self' blob:; media-src 'self' blob:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


def add_site(app: FastAPI, settings: GatewaySettings, realtime: RealtimeService) -> None:
    """Adds the pages that the settings name."""
    if settings.profile == "local":
        app.include_router(secret_routes.local_router)
        if settings.otlp_endpoint:
            app.include_router(debug_routes(settings.otlp_endpoint, lambda: _live(realtime)))
    if settings.avatars_folder and settings.avatars_folder.is_dir():
        app.mount("/avatars", _Heads(directory=settings.avatars_folder))
    if settings.web_folder and (settings.web_folder / "index.html").is_file():
        app.router.default = _Page(settings.web_folder)  # after all routes, so that 404 and 405 of the API stay what they are
    app.add_middleware(CrossOrigin, origins=settings.cors_origins)


class CrossOrigin:
    """CORS where it is wanted: heads for everybody, the API for the origins that were named. Nothing else, /local least."""

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        self._app = app
        sent, read = ["authorization", "content-type", "idempotency-key"], ["x-request-id", "retry-after"]
        methods = ["GET", "POST", "DELETE"]
        api = CORSMiddleware(app, allow_origins=origins, allow_methods=methods, allow_headers=sent, expose_headers=read)
        self._api = api if origins else app
        self._heads = CORSMiddleware(app, allow_origins=["*"], allow_methods=["GET"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "") if scope["type"] == "http" else ""
        app = self._api if path.startswith("/v1/") else self._heads if path.startswith("/avatars/") else self._app
        await app(scope, receive, send)


class _Page:
    """The built page; another path is not found. Other sites embed the library, not the page: no site may frame it."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder, html=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(404)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["content-security-policy"] = PAGE_POLICY
            await send(message)

        await self._files(scope, receive, guarded)


class _Heads(StaticFiles):
    """Serves heads only, not what else lies in the folder."""

    def lookup_path(self, path: str) -> tuple[str, object]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().lookup_path(path) if path.endswith(".glb") else ("", None)


def _live(realtime: RealtimeService) -> list[LiveSession]:
    return [entry for session in realtime.sessions if (entry := _entry(session))]


def _entry(session: Session) -> LiveSession | None:
    core, floor = session.core, session.floor
    if core is None or floor is None:
        return None
    open_ms = core.parts.now_ms() - core.opened_ms
    return LiveSession(
        session_id=session.identity.session_id,
        tenant=session.identity.tenant,
        state=floor.phase,
        since_ms=time.time() * 1000 - open_ms,
        turns=core.tally.turns,
    )
