"""`GET /v1/realtime`: opens the socket, runs the session, closes the socket with the reason. `Admission` admits callers."""

import asyncio
import logging
import re
from dataclasses import dataclass, field, replace
from typing import Protocol

from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect

from a2llm.messages import ModelInfo
from a2serve.contracts.events import write_event
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway import request_context
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.watch import Withdrawn
from a2serve.gateway.edge.problem_responses import problem_response
from a2serve.gateway.realtime.connection.socket_transport import SocketTransport
from a2serve.gateway.realtime.session.collaborators import Allowance, CloseCause, Collaborators, Identity
from a2serve.gateway.realtime.session.session import Session
from a2serve.gateway.state.redis_away import while_redis_is_away
from a2serve.gateway.state.saved_session import EndedElsewhere, Owner, SavedSession

log = logging.getLogger(__name__)

SUBPROTOCOL = "realtime"
CLOSE_S = 2.0  # for a close frame to be written, behind what a client does not read
SHOWN_TO_PAGES = (404, 429, 503, 507)  # the session to resume is gone; full
# RFC 6455 codes; the reason is the cause's own word.
CLOSE_CODES: dict[CloseCause, int] = {
    "client_left": 1000,
    "slow_reader": 1008,
    "session_limit": 1000,
    "drain": 1001,
    "internal_error": 1011,
    "deleted": 1000,
    "taken_over": 1008,
    "revoked": 1008,
    "expired": 1008,
}
SEQUENCE = re.compile(r"[0-9]{1,15}")


class Admission(Protocol):
    """Decides who may open a socket, and for which session."""

    async def authorize(self, socket: WebSocket) -> Principal:
        """The caller. Raises Problem (unauthorized, forbidden, rate_limited, ...)."""
        ...

    async def admit(self, caller: Principal, identity: Identity, *, resumed: bool) -> Owner:
        """Counts the socket as a live session. Returns the session's owner: the caller, if it is new.

        Raises Problem (too_many_sessions; not_found: no such session, or not the caller's to resume).
        """
        ...

    def allowance(self, caller: Principal) -> Allowance:
        """Counts the responses on the socket."""
        ...


@dataclass(slots=True)
class RealtimeService:
    """The open sockets of this replica, and what the route opens one with.

    `sessions`: for a moment there may be two of one session.
    """

    admission: Admission
    parts: Collaborators
    sessions: set[Session] = field(default_factory=set[Session])
    draining: bool = False

    def drain(self) -> None:
        """Ask every session to go, also those that are being let in now; they close within `limits.go_away_ms`."""
        self.draining = True
        for session in self.sessions:
            session.drain()

    def add(self, session: Session) -> None:
        """Adds a session whose socket is open."""
        self.sessions.add(session)
        if self.draining:
            session.drain()

    def end(self, tenant: str, session_id: str, keep: str, cause: EndedElsewhere) -> None:
        """Close the sockets of a session, but for that of the holder `keep`."""
        for session in self.sessions:
            identity = session.identity
            if (identity.tenant, identity.session_id) == (tenant, session_id) and identity.holder != keep:
                session.end(cause)

    def withdraw(self, holder: str, cause: Withdrawn) -> None:
        """Close the socket of a holder; its session may go on elsewhere."""
        for session in self.sessions:
            if session.identity.holder == holder:
                session.withdraw(cause)


def realtime_router(service: RealtimeService) -> APIRouter:
    """Makes the router with the socket's route."""
    router = APIRouter()

    @router.websocket("/v1/realtime")
    async def realtime(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        try:
            session = await _open(socket, service)
        except Problem as problem:
            service.parts.refused(problem)
            await _refuse(socket, problem)
            return
        await _accept(socket)
        await _run(socket, service, session)

    return router


async def _open(socket: WebSocket, service: RealtimeService) -> Session:
    caller = await service.admission.authorize(socket)
    parts, query = service.parts, socket.query_params
    resumed = query.get("resume")
    identity = Identity(
        resumed or parts.new_id("sess"),
        caller.tenant,
        holder=parts.new_id("socket"),
        resumed_after=_sequence(query.get("last_sequence", "")),
        guard=caller.grant,
        allowance=service.admission.allowance(caller),
    )
    request_context.current().session_id = identity.session_id
    identity = replace(identity, owner=await service.admission.admit(caller, identity, resumed=bool(resumed)))
    info = await _describe(parts)
    if not resumed:
        parts.conversations.check_capacity(caller.tenant, session=True)
    saved = await _claimed(parts, identity) if resumed else None
    config = SessionConfig.from_store(saved.config) if saved else _first_settings(caller)
    return Session(identity, config, SocketTransport(socket, parts.limits.max_event_bytes), parts, info=info, saved=saved)


def _first_settings(caller: Principal) -> SessionConfig:
    return SessionConfig().merged_with(caller.grant.session) if caller.grant else SessionConfig()


def _sequence(said: str) -> int:
    return int(said) if SEQUENCE.fullmatch(said) else 0


async def _claimed(parts: Collaborators, identity: Identity) -> SavedSession:
    with while_redis_is_away("sessions cannot be reached now"):
        saved = await parts.conversations.claim(identity)
    if saved is None:
        raise no_such_session()
    return identity.guard.continued(saved, identity.owner) if identity.guard else saved


def no_such_session() -> Problem:
    """The same for one that never was and for one that the caller may not have."""
    return Problem(Code.NOT_FOUND, "there is no such session to resume", param="resume")


async def _describe(parts: Collaborators) -> ModelInfo | None:
    """Describes the model. A session may begin while no replica is there: its first response will say so."""
    try:
        return await parts.inference.describe()
    except Problem as problem:
        log.warning("inference does not describe itself: %s", problem)
        return None


async def _accept(socket: WebSocket) -> None:
    offered = socket.scope.get("subprotocols", [])
    await socket.accept(subprotocol=SUBPROTOCOL if SUBPROTOCOL in offered else None)


async def _run(socket: WebSocket, service: RealtimeService, session: Session) -> None:
    service.add(session)
    cause: CloseCause = "internal_error"
    try:
        cause = await session.run()
    finally:
        service.sessions.discard(session)
        await _close(socket, cause)


async def _close(socket: WebSocket, cause: CloseCause) -> None:
    if cause == "client_left":
        return
    try:
        async with asyncio.timeout(CLOSE_S):
            await socket.close(code=CLOSE_CODES[cause], reason=cause)
    except TimeoutError:
        log.debug("the client does not read; its connection is cut off")
    except (WebSocketDisconnect, RuntimeError):
        log.debug("the socket was closed already")


async def _refuse(socket: WebSocket, problem: Problem) -> None:
    """Before the upgrade, HTTP says it best; but a page cannot read that answer, and has to know whether to wait."""
    if problem.meaning.status in SHOWN_TO_PAGES and "authorization" not in socket.headers:
        await _accept(socket)
        await socket.send_text(write_event(problem.as_event()))
        await socket.close(code=1008 if problem.code == Code.NOT_FOUND else 1013, reason=problem.code)
    else:
        await socket.send_denial_response(problem_response(problem))
