"""`GET /v1/realtime`: opens the socket, runs the session, closes the socket with the reason. Who may, says `authorize`."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from a2serve.contracts.client_events import ClientEventBase
from a2serve.contracts.events import write_event
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway import request_context
from a2serve.gateway.model_client.interface import ModelInfo
from a2serve.gateway.realtime.collaborators import CloseCause, Collaborators, Disconnected, Identity, SavedSession
from a2serve.gateway.realtime.session import Session
from a2serve.gateway.rest.problem_responses import problem_response

log = logging.getLogger(__name__)

SUBPROTOCOL = "realtime"
TOLD_TO_PAGES = (404, 429, 503)  # the session to resume is gone; full
# RFC 6455 codes; the reason is the cause's own word.
CLOSE_CODES: dict[CloseCause, int] = {
    "client_left": 1000,
    "slow_reader": 1008,
    "session_limit": 1000,
    "drain": 1001,
    "internal_error": 1011,
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What `authorize` allows: whose socket it is, the settings it begins with; `guard` raises Problem for what it forbids."""

    tenant: str
    config: SessionConfig = field(default_factory=SessionConfig)
    guard: Callable[[ClientEventBase], None] | None = None


@dataclass(slots=True)
class RealtimeService:
    """What the route needs. `authorize` raises Problem (unauthorized, forbidden, too_many_sessions, ...)."""

    authorize: Callable[[WebSocket], Awaitable[Grant]]
    parts: Collaborators
    on_close: Callable[[Identity], Awaitable[None]] | None = None
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])

    def drain(self) -> None:
        """Ask every session to go; they close within `limits.go_away_ms`."""
        for session in self.sessions.values():
            session.drain()


def realtime_router(service: RealtimeService) -> APIRouter:
    """The route."""
    router = APIRouter()

    @router.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        try:
            session, identity = await _open(socket, service)
        except Problem as problem:
            await _refuse(socket, problem)
            return
        await _accept(socket)
        await _run(socket, service, session, identity)

    return router


class SocketTransport:
    """A Starlette socket as the session sees it."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        """The next frame. Raises Disconnected."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        text: str | None = message.get("text")
        return text if text is not None else message["bytes"]

    async def send(self, frame: str | bytes) -> None:
        """Write a frame, waiting while the client's buffers are full. Raises Disconnected."""
        try:
            if isinstance(frame, str):
                await self._socket.send_text(frame)
            else:
                await self._socket.send_bytes(frame)
        except (WebSocketDisconnect, RuntimeError):  # Starlette's word for a socket that was closed meanwhile
            raise Disconnected from None


async def _open(socket: WebSocket, service: RealtimeService) -> tuple[Session, Identity]:
    grant = await service.authorize(socket)
    parts, query = service.parts, socket.query_params
    identity = Identity(query.get("resume") or parts.new_id("sess"), grant.tenant, guard=grant.guard)
    request_context.current().session_id = identity.session_id
    saved = await _saved(parts, identity) if "resume" in query else None
    config = SessionConfig.model_validate(saved.config) if saved else grant.config
    resumed_after = query.get("last_sequence", "0")
    identity = replace(identity, resumed_after=int(resumed_after) if resumed_after.isdigit() else 0)
    info = await _describe(parts)
    transport = SocketTransport(socket)
    return Session(identity, config, transport, parts, info=info, saved=saved), identity


async def _saved(parts: Collaborators, identity: Identity) -> SavedSession:
    saved = await parts.conversations.load(identity.tenant, identity.session_id)
    if saved is None:
        raise Problem(Code.NOT_FOUND, "there is no such session to resume", param="resume")
    return saved


async def _describe(parts: Collaborators) -> ModelInfo | None:
    """What the model is; a session may begin while no replica is there, its first response will say so."""
    try:
        return await parts.inference.describe()
    except Problem as problem:
        log.warning("inference does not describe itself: %s", problem)
        return None


async def _accept(socket: WebSocket) -> None:
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)


async def _run(socket: WebSocket, service: RealtimeService, session: Session, identity: Identity) -> None:
    service.sessions[identity.session_id] = session
    cause: CloseCause = "internal_error"
    try:
        cause = await session.run()
    finally:
        service.sessions.pop(identity.session_id, None)
        await _close(socket, cause)
        if service.on_close:
            await service.on_close(identity)


async def _close(socket: WebSocket, cause: CloseCause) -> None:
    if cause == "client_left":
        return
    try:
        await socket.close(code=CLOSE_CODES[cause], reason=cause)
    except (WebSocketDisconnect, RuntimeError):
        log.debug("the socket was closed already")


async def _refuse(socket: WebSocket, problem: Problem) -> None:
    """Before the upgrade, HTTP says it best; but a page cannot read that answer, and has to know whether to wait."""
    if problem.meaning.status in TOLD_TO_PAGES and "authorization" not in socket.headers:
        await _accept(socket)
        await socket.send_text(write_event(problem.as_event()))
        await socket.close(code=1008 if problem.code == Code.NOT_FOUND else 1013, reason=problem.code)
    else:
        await socket.send_denial_response(problem_response(problem))
