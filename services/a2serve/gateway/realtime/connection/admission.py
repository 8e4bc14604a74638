"""Admits a realtime socket: authenticates its caller, counts it against its limits, finds the session that it may open."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from redis.exceptions import RedisError
from starlette.websockets import WebSocket

from a2serve.contracts.server_events import RateLimit
from a2serve.gateway import request_context
from a2serve.gateway.access.auth import Authenticator, Principal, identify
from a2serve.gateway.access.limits import Lease, TenantLimits
from a2serve.gateway.access.watch import Watch
from a2serve.gateway.realtime.connection.socket_route import no_such_session
from a2serve.gateway.realtime.session.collaborators import Identity
from a2serve.gateway.state.redis_away import while_redis_is_away
from a2serve.gateway.state.saved_session import Owner
from a2serve.gateway.state.store import SessionStore

USED_S = 60  # that a secret was used is remembered longer than the secret, whatever the clocks say
COUNT_S = 0.25  # an answer waits no longer for its being counted


class SocketAllowance:
    """A caller's requests, for responses on its socket. While they cannot be counted, conversations go on."""

    def __init__(self, limits: TenantLimits, caller: Principal) -> None:
        self._limits, self._caller = limits, caller

    async def take(self) -> None:
        with suppress(RedisError, TimeoutError):
            async with asyncio.timeout(COUNT_S):
                await self._limits.count(self._caller)

    async def left(self) -> list[RateLimit]:
        try:
            return [await self._limits.requests_left(self._caller.tenant, self._caller.limits)]
        except RedisError:
            return []


@dataclass(frozen=True, slots=True)
class SocketAdmission:
    """The `Admission` of this gateway. `check_open` raises Problem(draining) once no new work is taken."""

    authenticator: Authenticator
    limits: TenantLimits
    sessions: SessionStore
    watch: Watch
    check_open: Callable[[], None]

    async def authorize(self, socket: WebSocket) -> Principal:
        """Raises Problem (draining, unauthorized, forbidden, rate_limited, state_unavailable)."""
        self.check_open()
        with while_redis_is_away("keys cannot be checked now"):
            caller = await self.authenticator.of_socket(socket.headers, socket.scope.get("subprotocols", []))
            identify(caller)
            await self.limits.count(caller)
        return caller

    async def admit(self, caller: Principal, identity: Identity, *, resumed: bool) -> Owner:
        """Counts as a live session until the socket is closed."""
        with while_redis_is_away("sessions cannot be counted now"):
            owner = await self._owner(caller, identity) if resumed else caller.owner
            await self._lease(caller, identity, owner)
        return owner

    def allowance(self, caller: Principal) -> SocketAllowance:
        """Counts the responses on the socket."""
        return SocketAllowance(self.limits, caller)

    async def _owner(self, caller: Principal, identity: Identity) -> Owner:
        head = await self.sessions.head(caller.tenant, identity.session_id)
        if head is None or not caller.may_open(head.owner):
            raise no_such_session()
        return head.owner

    async def _lease(self, caller: Principal, identity: Identity, owner: Owner) -> None:
        context, grant, lease = request_context.current(), caller.grant, Lease(identity.session_id, identity.holder)
        context.end_user_id = owner.end_user_id
        if grant:
            lease = replace(lease, grant_id=grant.id, most_of_grant=grant.max_sessions)
        await context.at_end.enter_async_context(self.limits.session(caller.tenant, caller.limits, lease))
        context.at_end.enter_context(self.watch.over(identity.holder, caller))
        if grant and grant.single_use:
            await self.limits.use_once(caller.tenant, grant.id, identity.session_id, grant.expires_at - int(time.time()) + USED_S)
