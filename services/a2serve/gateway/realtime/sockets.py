"""How the realtime socket is let in: authentication, limits, and the collaborators that every session works with."""

import asyncio
from contextlib import suppress

from redis.exceptions import RedisError
from starlette.websockets import WebSocket

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import RateLimit
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway import request_context
from a2serve.gateway.access.limits import TenantLimits
from a2serve.gateway.access.tenants import Limits
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.collaborators import Change, Collaborators, Identity, SavedSession, SessionLimits, StoreUnavailable
from a2serve.gateway.realtime.socket import Grant, RealtimeService
from a2serve.gateway.rest.dependencies import identify
from a2serve.gateway.state.records_sink import OutboxRecords
from a2serve.gateway.state.store import SessionStore

RETRY_AFTER_MS = 2000
COUNT_S = 0.25  # an answer waits no longer for its being counted


class KeptSessions:
    """`Conversations` over the store, with errors as sessions know them."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def claim(self, identity: Identity) -> SavedSession | None:
        try:
            return await self._store.claim(identity.tenant, identity.session_id, identity.holder)
        except RedisError:
            raise Problem(Code.STATE_UNAVAILABLE, "sessions cannot be reached now", retry_after_ms=RETRY_AFTER_MS) from None

    async def save(self, identity: Identity, saved: SavedSession) -> None:
        try:
            await self._store.save(identity.tenant, identity.session_id, identity.holder, saved)
        except RedisError as error:
            raise StoreUnavailable from error

    async def append(self, identity: Identity, change: Change) -> bool:
        try:
            return await self._store.append(identity.tenant, identity.session_id, identity.holder, change)
        except RedisError as error:
            raise StoreUnavailable from error


class SocketAllowance:
    """A tenant's requests, for responses on its sockets. While they cannot be counted, conversations go on."""

    def __init__(self, limits: TenantLimits, tenant: str, of_tenant: Limits) -> None:
        self._limits, self._tenant, self._of_tenant = limits, tenant, of_tenant

    async def take(self) -> None:
        with suppress(RedisError, TimeoutError):
            async with asyncio.timeout(COUNT_S):
                await self._limits.take_request(self._tenant, self._of_tenant)

    async def left(self) -> list[RateLimit]:
        try:
            return [await self._limits.requests_left(self._tenant, self._of_tenant)]
        except RedisError:
            return []


def collaborators(parts: GatewayParts) -> Collaborators:
    """What every session of this gateway works with; who it belongs to is in each call."""
    limits = SessionLimits(
        max_session_ms=parts.settings.session_max_s * 1000, go_away_ms=min(30_000, int(parts.settings.drain_s * 1000))
    )
    records, tracer = OutboxRecords(parts.outbox, lambda: parts.inference.revision), parts.tracing.get_tracer("a2serve.gateway")
    return Collaborators(parts.inference, KeptSessions(parts.sessions), records, limits, tracer=tracer, metrics=parts.response_metrics)


def realtime_service(parts: GatewayParts) -> RealtimeService:
    """For `realtime_router`."""

    async def authorize(socket: WebSocket) -> Grant:
        try:
            return await _admit(parts, socket)
        except RedisError:
            raise Problem(Code.STATE_UNAVAILABLE, "keys cannot be checked now", retry_after_ms=RETRY_AFTER_MS) from None

    return RealtimeService(authorize, collaborators(parts))


async def _admit(parts: GatewayParts, socket: WebSocket) -> Grant:
    """Counts as a live session until the socket is closed."""
    parts.refuse_while_draining()
    caller = await parts.authenticator.of_socket(socket.headers, socket.scope.get("subprotocols", []))
    identify(caller)
    await parts.limits.take_request(caller.tenant, caller.limits)
    await request_context.current().at_end.enter_async_context(parts.limits.session(caller.tenant, caller.limits))
    grant, allowance = caller.grant, SocketAllowance(parts.limits, caller.tenant, caller.limits)
    if grant is None:
        return Grant(caller.tenant, allowance=allowance)
    return Grant(caller.tenant, SessionConfig().merged_with(grant.session), guard=grant.check_event, allowance=allowance)
