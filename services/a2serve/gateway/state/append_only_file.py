"""Removes from Redis' disk what Redis has forgotten: the append-only file is written anew every ten minutes, by one gateway for all.

Until then the file holds every write, those of deleted and lapsed sessions among them. Not here: files of replicas and of a
cluster's nodes, and managed offers that refuse the command. Those are their operator's.
"""

from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from a2serve.gateway.state import redis_keys

LOOK_S, REWRITE_S = 60.0, 600


class AppendOnlyFile:
    """Rewrites the file; one per gateway, of which one at a time acts."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis

    async def look(self) -> None:
        """Has it written anew, where that is due and there is one."""
        with suppress(RedisError):  # away, or not allowed, or being written anew just now
            due = await self._redis.set(redis_keys.REWRITTEN, 1, nx=True, ex=REWRITE_S)
            if due and (await self._redis.info("persistence")).get("aof_enabled"):
                await self._redis.bgrewriteaof()
