"""Ends sessions that were deleted by REST, or claimed by another socket or turn. Sent to every replica (pub/sub).

A message that is lost costs time and nothing else: the store refuses writes of a session that is gone.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.saved_session import EndedElsewhere

RETRY_PAUSE_S = 1.0
log = logging.getLogger(__name__)


def written(session_id: str, cause: EndedElsewhere, keep: str = "") -> bytes:
    """The message; its channel says the tenant."""
    return orjson.dumps({"session_id": session_id, "cause": cause, "keep": keep})


class Endings:
    """Listens for all tenants; `run` ends only by cancellation.

    `end` closes the sockets of a session (tenant, session_id) on this replica, but for that of the holder `keep`.
    """

    def __init__(self, redis: "Redis", end: Callable[[str, str, str, EndedElsewhere], None]) -> None:
        self._redis: Any = redis
        self._end = end

    async def run(self) -> None:
        """Again and again: the connection may be lost."""
        while True:
            try:
                await self._redis.initialize()  # a cluster's client does not know its nodes before
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.psubscribe(redis_keys.ALL_ENDINGS)
                    async for message in channel.listen():
                        self._take(message["channel"], message["data"])
            except (RedisError, OSError) as error:
                log.debug("endings of sessions are not heard: %s", error)
            await asyncio.sleep(RETRY_PAUSE_S)

    def _take(self, channel: bytes, data: bytes) -> None:
        body = orjson.loads(data)
        self._end(channel.decode().split(":")[1], body["session_id"], body["keep"], body["cause"])
