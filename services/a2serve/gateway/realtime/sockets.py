"""How the realtime socket is let in: authentication, limits, and the collaborators that every session works with."""

from redis.exceptions import RedisError
from starlette.websockets import WebSocket

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway import request_context
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.collaborators import Collaborators, SavedSession, SessionLimits, StoreUnavailable
from a2serve.gateway.realtime.socket import Grant, RealtimeService
from a2serve.gateway.rest.dependencies import identify
from a2serve.gateway.state.records_sink import OutboxRecords
from a2serve.gateway.state.store import SessionStore

RETRY_AFTER_MS = 2000


class KeptSessions:
    """`Conversations` over the store, with errors as sessions know them."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store

    async def load(self, tenant: str, session_id: str) -> SavedSession | None:
        try:
            return await self._store.load(tenant, session_id)
        except RedisError:
            raise Problem(Code.STATE_UNAVAILABLE, "sessions cannot be reached now", retry_after_ms=RETRY_AFTER_MS) from None

    async def save(self, tenant: str, session_id: str, saved: SavedSession) -> None:
        try:
            await self._store.save(tenant, session_id, saved)
        except RedisError as error:
            raise StoreUnavailable from error

    async def append(self, tenant: str, session_id: str, item: dict[str, object], sequence: int) -> None:
        try:
            await self._store.append(tenant, session_id, item, sequence)
        except RedisError as error:
            raise StoreUnavailable from error


def collaborators(parts: GatewayParts) -> Collaborators:
    """What every session of this gateway works with; who it belongs to is in each call."""
    limits = SessionLimits(
        max_session_ms=parts.settings.session_max_s * 1000, go_away_ms=min(30_000, int(parts.settings.drain_s * 1000))
    )
    records, tracer = OutboxRecords(parts.outbox, lambda: parts.inference.revision), parts.tracing.get_tracer("a2serve.gateway")
    return Collaborators(parts.inference, KeptSessions(parts.sessions), records, limits, tracer=tracer)


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
    grant = caller.grant
    if grant is None:
        return Grant(caller.tenant)
    return Grant(caller.tenant, SessionConfig().merged_with(grant.session), guard=grant.check_event)
