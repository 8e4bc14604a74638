"""Bounds what a tenant stores: sessions with their conversations, and responses that an Idempotency-Key would repeat.

Redis counts with each write, in the same step. A name's bytes are given back when it lapses, which is noticed with the next write
of that tenant. The bound is for what is new: what is said in a session that exists is always kept.
"""

import time
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.state import redis_keys
from a2serve.gateway.tenants import Limits

BELIEVED_S = 5.0  # so long after a write that found it full, nothing new is begun without asking
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# `lapses`, `others`: sorted sets of names, until when, ms. `sizes`: hash of the bytes of both, and of `total`.
ACCOUNT = """
local function forget_lapsed(lapses, sizes)
    for _, gone in ipairs(redis.call('ZRANGEBYSCORE', lapses, '-inf', now, 'LIMIT', 0, 100)) do
        redis.call('HINCRBY', sizes, 'total', -tonumber(redis.call('HGET', sizes, gone) or 0))
        redis.call('HDEL', sizes, gone)
        redis.call('ZREM', lapses, gone)
    end
end
local function account(lapses, others, sizes, name, bytes, ttl_s)
    forget_lapsed(lapses, sizes)
    forget_lapsed(others, sizes)
    redis.call('HINCRBY', sizes, 'total', bytes - tonumber(redis.call('HGET', sizes, name) or 0))
    redis.call('HSET', sizes, name, bytes)
    redis.call('ZADD', lapses, now + ttl_s * 1000, name)
end
local function room(lapses, sizes, most, most_bytes)
    if tonumber(redis.call('HGET', sizes, 'total') or 0) >= tonumber(most_bytes) then return 'no bytes' end
    return redis.call('ZCARD', lapses) >= tonumber(most) and 'no sessions' or 'room'
end
"""
# KEYS: lapses, others, sizes. ARGV: name, bytes, ttl, most names, most bytes. The bytes of what is there already are not asked for again.
_BEGIN = f"""{NOW}{ACCOUNT}
account(KEYS[1], KEYS[2], KEYS[3], ARGV[1], 0, 0)
if room(KEYS[1], KEYS[3], ARGV[4] + 1, ARGV[5] - ARGV[2] + 1) ~= 'room' then
    redis.call('ZREM', KEYS[1], ARGV[1])
    redis.call('HDEL', KEYS[3], ARGV[1])
    return 0
end
account(KEYS[1], KEYS[2], KEYS[3], ARGV[1], ARGV[2], ARGV[3])
return 1
"""
UNBOUNDED = 1 << 50


class Stored:
    """One per gateway. `limits`: of a tenant."""

    def __init__(self, redis: "Redis", limits: Callable[[str], Limits]) -> None:
        self._limits = limits
        self._begin: Any = redis.register_script(_BEGIN)
        self._found: dict[str, tuple[bytes, float]] = {}

    def bounds(self, tenant: str) -> tuple[int, int]:
        """The tenant's bounds: (most sessions, most bytes)."""
        limits = self._limits(tenant)
        return limits.stored_sessions, limits.stored_bytes

    async def begin_session(self, tenant: str, session_id: str, size_bytes: int, ttl_s: int) -> None:
        """Stores a new session. Raises Problem(storage_full)."""
        keys = [redis_keys.stored_sessions(tenant), redis_keys.stored_responses(tenant), redis_keys.stored_sizes(tenant)]
        if not await self._begin(keys=keys, args=[session_id, size_bytes, ttl_s, *self.bounds(tenant)]):
            raise self._problem(tenant)

    async def takes_response(self, tenant: str, name: str, size_bytes: int, ttl_s: int) -> bool:
        """Whether an answer may be kept, too."""
        keys = [redis_keys.stored_responses(tenant), redis_keys.stored_sessions(tenant), redis_keys.stored_sizes(tenant)]
        _, most_bytes = self.bounds(tenant)
        return bool(await self._begin(keys=keys, args=[name, size_bytes, ttl_s, UNBOUNDED, most_bytes]))

    def note(self, tenant: str, found: bytes) -> None:
        """Notes what the last write found."""
        if found == b"room":
            self._found.pop(tenant, None)
        else:
            self._found[tenant] = (found, time.monotonic() + BELIEVED_S)

    def check(self, tenant: str, *, session: bool) -> None:
        """Raises Problem(storage_full) where the last write, lately, found no room for another item, or another session."""
        found, until_s = self._found.get(tenant, (b"room", 0.0))
        if until_s > time.monotonic() and (session or found == b"no bytes"):
            raise self._problem(tenant)

    def _problem(self, tenant: str) -> Problem:
        sessions, size_bytes = self.bounds(tenant)
        detail = f"a tenant may store {sessions} sessions and {size_bytes} bytes: delete some, or let them lapse"
        return Problem(Code.STORAGE_FULL, detail)
