"""How the realtime socket is let in: authentication, limits, and the collaborators that every session works with."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace

from redis.exceptions import RedisError
from starlette.websockets import WebSocket

from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.contracts.server_events import RateLimit
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway import request_context
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.limits import Lease
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.connection.socket_route import Grant, RealtimeService, no_such_session
from a2serve.gateway.realtime.session.collaborators import (
    Change,
    Checkpoint,
    Collaborators,
    Identity,
    Owner,
    SavedSession,
    SessionLimits,
    StoreUnavailable,
)
from a2serve.gateway.rest.dependencies import count_request, identify
from a2serve.gateway.state.late_writes import LateWrites
from a2serve.gateway.state.records_sink import OutboxRecords
from a2serve.gateway.state.store import SessionStore

USED_S = 60  # that a secret was used is remembered longer than the secret, whatever the clocks say
COUNT_S = 0.25  # an answer waits no longer for its being counted


class KeptSessions:
    """`Conversations` over the store, with errors as sessions know them."""

    def __init__(self, store: SessionStore, late: LateWrites) -> None:
        self._store, self._late = store, late

    async def claim(self, identity: Identity) -> SavedSession | None:
        try:
            return await self._store.claim(identity.tenant, identity.session_id, identity.holder)
        except RedisError:
            raise Problem(Code.STATE_UNAVAILABLE, "sessions cannot be reached now", retry_after_ms=RETRY_AFTER_MS) from None

    async def save(self, identity: Identity, saved: SavedSession, checkpoint: Checkpoint | None) -> None:
        try:
            await self._store.save(identity.tenant, identity.session_id, identity.holder, saved, identity.owner, checkpoint)
        except RedisError as error:
            raise StoreUnavailable from error

    async def append(self, identity: Identity, change: Change) -> bool:
        try:
            return await self._store.append(identity.tenant, identity.session_id, identity.holder, change)
        except RedisError as error:
            raise StoreUnavailable from error

    async def leave(self, identity: Identity) -> None:
        try:
            await self._store.leave(identity.tenant, identity.session_id, identity.holder)
        except RedisError as error:
            raise StoreUnavailable from error

    def check_room(self, tenant: str, *, session: bool) -> None:
        self._store.stored.check(tenant, session=session)

    def spool(self, identity: Identity, written: SavedSession | Change) -> bool:
        return self._late.session(identity, written)


class SocketAllowance:
    """A caller's requests, for responses on its socket. While they cannot be counted, conversations go on."""

    def __init__(self, parts: GatewayParts, caller: Principal) -> None:
        self._parts, self._caller = parts, caller

    async def take(self) -> None:
        with suppress(RedisError, TimeoutError):
            async with asyncio.timeout(COUNT_S):
                await count_request(self._parts, self._caller)

    async def left(self) -> list[RateLimit]:
        try:
            return [await self._parts.limits.requests_left(self._caller.tenant, self._caller.limits)]
        except RedisError:
            return []


def collaborators(parts: GatewayParts) -> Collaborators:
    """What every session of this gateway works with; who it belongs to is in each call."""
    limits = SessionLimits(
        max_session_ms=parts.settings.session_max_s * 1000,
        go_away_ms=min(30_000, int(parts.settings.drain_s * 1000)),
        lost_after_s=parts.settings.lost_after_s,
        max_items=parts.settings.conversation_items,
        max_conversation_bytes=parts.settings.conversation_bytes,
    )
    records = OutboxRecords(parts.outbox, parts.transcripts, parts.late_writes, lambda: parts.inference.revision)

    def refused(problem: Problem) -> None:
        parts.audit_trail.refused(problem.code, "socket")

    tracer = parts.tracing.get_tracer("a2serve.gateway")
    conversations = KeptSessions(parts.sessions, parts.late_writes)
    return Collaborators(parts.inference, conversations, records, limits, refused=refused, tracer=tracer, metrics=parts.response_metrics)


def realtime_service(parts: GatewayParts) -> RealtimeService:
    """For `realtime_router`."""

    async def authorize(socket: WebSocket) -> Grant:
        try:
            return await _known(parts, socket)
        except RedisError:
            raise Problem(Code.STATE_UNAVAILABLE, "keys cannot be checked now", retry_after_ms=RETRY_AFTER_MS) from None

    return RealtimeService(authorize, collaborators(parts))


async def _known(parts: GatewayParts, socket: WebSocket) -> Grant:
    parts.refuse_while_draining()
    caller = await parts.authenticator.of_socket(socket.headers, socket.scope.get("subprotocols", []))
    identify(caller)
    await count_request(parts, caller)

    async def admit(identity: Identity, *, resumed: bool) -> Owner:
        try:
            return await _admit(parts, caller, identity, resumed=resumed)
        except RedisError:
            raise Problem(Code.STATE_UNAVAILABLE, "sessions cannot be counted now", retry_after_ms=RETRY_AFTER_MS) from None

    config = SessionConfig().merged_with(caller.grant.session) if caller.grant else SessionConfig()
    return Grant(caller.tenant, config, caller.grant, SocketAllowance(parts, caller), admit)


async def _admit(parts: GatewayParts, caller: Principal, identity: Identity, *, resumed: bool) -> Owner:
    """Counts as a live session until the socket is closed."""
    owner, context = caller.owner, request_context.current()
    if resumed:
        head = await parts.sessions.head(caller.tenant, identity.session_id)
        if head is None or not caller.may_open(head.owner):
            raise no_such_session()
        owner = head.owner
    context.end_user_id = owner.end_user_id
    grant, lease = caller.grant, Lease(identity.session_id, identity.holder)
    if grant:
        lease = replace(lease, grant_id=grant.id, most_of_grant=grant.max_sessions)
    await context.at_end.enter_async_context(parts.limits.session(caller.tenant, caller.limits, lease))
    context.at_end.enter_context(parts.watch.over(identity.holder, caller))
    if grant and grant.single_use:
        await parts.limits.use_once(caller.tenant, grant.id, identity.session_id, grant.expires_at - int(time.time()) + USED_S)
    return owner
