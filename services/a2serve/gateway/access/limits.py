"""Limits of a tenant, counted in Redis so that all replicas count together: requests per minute, sessions at once.

A request of REST, an open socket and a response on a socket count as one each.
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.contracts.server_events import RateLimit
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.state import redis_keys
from a2serve.gateway.tenants import Limits

LEASE_MS = 30_000  # a replica that died holds its leases no longer than this
RENEW_S = 10.0
RELOAD_TRIES, RELOAD_PAUSE_S = 5, 0.2  # a page that is loaded anew comes while its old socket ends
GRANT_REQUESTS_PER_MINUTE, GRANT_BURST_REQUESTS = 120, 30  # of a client secret, for each session it may have open

# Generic cell rate algorithm: one number per tenant, the time at which the bucket is empty again.
_TAKE_REQUEST = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local empty_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local wait = empty_at + interval - burst * interval - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], empty_at + interval, 'PX', math.ceil(empty_at + interval - now) + 1000)
return 0
"""
# How long until the bucket is empty, ms.
_LEFT = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return math.max(math.ceil(tonumber(redis.call('GET', KEYS[1]) or now) - now), 0)
"""
# KEYS: the tenant's leases, their holders, the leases of the grant (where there is one).
# ARGV: session, holder, ms of a lease, most of the tenant, most of the grant.
_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
_HOLD = """
for place = 1, #KEYS do
    if place ~= 2 then redis.call('ZADD', KEYS[place], now + ARGV[3], ARGV[1]) end
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for place = 1, #KEYS do redis.call('PEXPIRE', KEYS[place], ARGV[3]) end
"""
_TAKE_LEASE = f"""{_NOW}
for _, lapsed in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
    redis.call('ZREM', KEYS[1], lapsed)
    redis.call('HDEL', KEYS[2], lapsed)
end
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 'tenant' end
if KEYS[3] then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
    if not redis.call('ZSCORE', KEYS[3], ARGV[1]) and redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[5]) then return 'grant' end
end
{_HOLD}
return 'taken'
"""
# After Redis lost its memory, too. The present holder of the session renews it.
_RENEW_LEASE = f"""{_NOW}
local holder = redis.call('HGET', KEYS[2], ARGV[1])
if holder and holder ~= ARGV[2] then return 0 end
{_HOLD}
return 1
"""
# Of two that come for one session at once, the lease may be with one and the session (ARGV[4]) with the other: then it stays, for that one.
_GIVE_BACK = """
local holder = redis.call('HGET', KEYS[2], ARGV[1])
local speaks = redis.call('HGET', ARGV[4], 'holder')
if holder == ARGV[2] and speaks and speaks ~= string.match(ARGV[2], '^(.-) ') then
    redis.call('HDEL', KEYS[2], ARGV[1])
    return
end
if holder == ARGV[2] then
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[2], ARGV[1])
end
if KEYS[3] and (not holder or holder == ARGV[2] or string.match(holder, ' (.*)$') ~= string.match(ARGV[2], ' (.*)$')) then
    redis.call('ZREM', KEYS[3], ARGV[1])
end
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease of a place among the live sessions. It belongs to the session: a holder that goes on with the session takes it over.

    `grant_id`, `most_of_grant`: the client secret it is opened with, and how many sessions that may have open.
    """

    session_id: str
    holder: str
    grant_id: str = ""
    most_of_grant: int = 0


class TenantLimits:
    """Rejects what is over a limit with Problem (rate_limited, too_many_sessions), each with retry_after_ms."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis
        self._request: Any = redis.register_script(_TAKE_REQUEST)
        self._left: Any = redis.register_script(_LEFT)
        self._take: Any = redis.register_script(_TAKE_LEASE)
        self._renew: Any = redis.register_script(_RENEW_LEASE)
        self._give_back: Any = redis.register_script(_GIVE_BACK)

    async def count(self, caller: Principal) -> None:
        """Counts one request: first at the client secret's own rate, so that a rejected request takes nothing from its tenant's."""
        if grant := caller.grant:
            await self.take_request_of_grant(caller.tenant, grant.id, grant.max_sessions)
        await self.take_request(caller.tenant, caller.limits)

    async def take_request(self, tenant: str, limits: Limits) -> None:
        """Counts one request. Raises Problem(rate_limited) with the time to wait."""
        interval_ms = 60_000 / limits.requests_per_minute
        wait_ms = await self._request(keys=[redis_keys.request_rate(tenant)], args=[interval_ms, limits.burst_requests])
        if wait_ms:
            detail = f"more than {limits.requests_per_minute} requests a minute; try again in {math.ceil(wait_ms / 1000)} s"
            raise Problem(Code.RATE_LIMITED, detail, retry_after_ms=int(wait_ms))

    async def requests_left(self, tenant: str, limits: Limits) -> RateLimit:
        """How many the tenant may make at once now, of how many, and when it may make all of them again."""
        taken_ms = await self._left(keys=[redis_keys.request_rate(tenant)])
        taken = math.ceil(taken_ms * limits.requests_per_minute / 60_000)
        remaining = max(limits.burst_requests - taken, 0)
        return RateLimit(name="requests", limit=limits.burst_requests, remaining=remaining, reset_seconds=taken_ms / 1000)

    async def take_request_of_grant(self, tenant: str, grant_id: str, max_sessions: int) -> None:
        """Counts one request of a client secret: one page must not use up its tenant's requests. Raises Problem(rate_limited)."""
        key, rate = redis_keys.request_rate_of_grant(tenant, grant_id), GRANT_REQUESTS_PER_MINUTE * max_sessions
        if wait_ms := await self._request(keys=[key], args=[60_000 / rate, GRANT_BURST_REQUESTS * max_sessions]):
            raise Problem(Code.RATE_LIMITED, f"more than {rate} requests a minute with one client secret", retry_after_ms=int(wait_ms))

    async def use_once(self, tenant: str, grant_id: str, session_id: str, seconds: int) -> None:
        """The first session of a single-use secret keeps it for the `seconds` it lives. Raises Problem(forbidden) for another one."""
        key = redis_keys.used(tenant, grant_id)
        if not await self._redis.set(key, session_id, nx=True, ex=max(seconds, 1)) and await self._redis.get(key) != session_id.encode():
            raise Problem(Code.FORBIDDEN, "this client secret opens one session, which was opened before")

    @asynccontextmanager
    async def session(self, tenant: str, limits: Limits, lease: Lease) -> AsyncGenerator[None]:
        """Counts as one live session while inside. Raises Problem(too_many_sessions)."""
        keys, args = _of_lease(tenant, lease)
        refused = await self._taken(keys, [*args, limits.max_sessions, lease.most_of_grant])
        if refused == b"tenant":
            raise Problem(Code.CONCURRENCY, f"{limits.max_sessions} sessions are live already", retry_after_ms=RETRY_AFTER_MS)
        if refused == b"grant":
            detail = f"this client secret may have {lease.most_of_grant} sessions open at once"
            raise Problem(Code.CONCURRENCY, detail, retry_after_ms=RETRY_AFTER_MS)
        renewing = asyncio.create_task(self._renew_again(keys, args), name="a2-lease")
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(RedisError):  # it lapses by itself
                await self._give_back(keys=keys, args=[*args, redis_keys.session(tenant, lease.session_id)])

    async def sessions_of_grant(self, tenant: str, grant_id: str) -> list[str]:
        """Those that a client secret has open."""
        return [session_id.decode() for session_id in await self._redis.zrange(redis_keys.live_of_grant(tenant, grant_id), 0, -1)]

    async def live_sessions(self, tenant: str) -> int:
        """How many are live now (a crashed replica's count up to LEASE_MS longer)."""
        return int(await self._redis.zcard(redis_keys.live(tenant)))

    async def _taken(self, keys: list[str], args: list[str | int]) -> bytes:
        for _ in range(RELOAD_TRIES - 1):
            if (outcome := await self._take(keys=keys, args=args)) != b"grant":
                return outcome
            await asyncio.sleep(RELOAD_PAUSE_S)
        return await self._take(keys=keys, args=args)

    async def _renew_again(self, keys: list[str], args: list[str | int]) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with suppress(RedisError):  # the next one may work; a session is not cut for that
                await self._renew(keys=keys, args=args)


def _of_lease(tenant: str, lease: Lease) -> tuple[list[str], list[str | int]]:
    keys = [redis_keys.live(tenant), redis_keys.holders(tenant)]
    keys += [redis_keys.live_of_grant(tenant, lease.grant_id)] if lease.grant_id else []
    return keys, [lease.session_id, f"{lease.holder} {lease.grant_id}", LEASE_MS]
