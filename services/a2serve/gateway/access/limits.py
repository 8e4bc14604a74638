"""Limits of a tenant, counted in Redis so that all replicas count together: requests per minute, sessions at once.

A request of REST, an open socket and a response on a socket count as one each.
"""

import asyncio
import math
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import RateLimit
from a2serve.gateway.access.tenants import Limits
from a2serve.gateway.state import redis_keys

LEASE_MS = 30_000  # a replica that died holds its leases no longer than this
RENEW_S = 10.0
RETRY_AFTER_MS = 2000

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
_TAKE_LEASE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""


class TenantLimits:
    """Refuses what is over a limit with Problem (rate_limited, too_many_sessions), each with retry_after_ms."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis
        self._request: Any = redis.register_script(_TAKE_REQUEST)
        self._left: Any = redis.register_script(_LEFT)
        self._lease: Any = redis.register_script(_TAKE_LEASE)

    async def take_request(self, tenant: str, limits: Limits) -> None:
        """Counts one request."""
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

    @asynccontextmanager
    async def session(self, tenant: str, limits: Limits) -> AsyncGenerator[None]:
        """Counts as one live session while inside."""
        lease = uuid.uuid4().hex
        if not await self._take(tenant, lease, limits.max_sessions):
            raise Problem(Code.CONCURRENCY, f"{limits.max_sessions} sessions are live already", retry_after_ms=RETRY_AFTER_MS)
        renewing = asyncio.create_task(self._renew(tenant, lease), name="a2-lease")
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(RedisError):  # it lapses by itself
                await self._redis.zrem(redis_keys.live(tenant), lease)

    async def live_sessions(self, tenant: str) -> int:
        """How many are live now (a crashed replica's count up to LEASE_MS longer)."""
        return int(await self._redis.zcard(redis_keys.live(tenant)))

    async def _renew(self, tenant: str, lease: str) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            with suppress(RedisError):  # the next one may work; a session is not cut for that
                await self._take(tenant, lease, 1 << 30)

    async def _take(self, tenant: str, lease: str, most: int) -> bool:
        return bool(await self._lease(keys=[redis_keys.live(tenant)], args=[lease, most, LEASE_MS]))
