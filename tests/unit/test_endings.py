"""Endings of sessions are heard for every tenant, and again after Redis was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2serve.gateway.state import endings, redis_keys
from a2serve.gateway.state.endings import Endings, written


class Redis:
    """Messages of each connection, one list after the other; None loses the connection."""

    def __init__(self, *connections: list[Any]) -> None:
        self._connections, self.patterns = list(connections), list[str]()

    async def initialize(self) -> None: ...

    @asynccontextmanager
    async def pubsub(self, *, ignore_subscribe_messages: bool) -> AsyncIterator["Redis"]:
        assert ignore_subscribe_messages
        yield self

    async def psubscribe(self, pattern: str) -> None:
        self.patterns.append(pattern)

    async def listen(self) -> AsyncIterator[dict[str, bytes]]:
        for message in self._connections.pop(0) if self._connections else []:
            if message is None:
                raise RedisConnectionError
            tenant, data = message
            yield {"channel": redis_keys.endings(tenant).encode(), "data": data}
        await asyncio.sleep(3600)


def heard(redis: Redis, count: int) -> list[tuple[str, str, str, str]]:
    """The first endings."""
    found: list[tuple[str, str, str, str]] = []

    async def scene() -> None:
        running = asyncio.create_task(Endings(redis, lambda *ending: found.append(ending)).run())  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            while len(found) < count:
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(scene())
    return found


def test_each_ending_is_told_with_its_tenant_and_who_goes_on():
    redis = Redis([("acme", written("sess_1", "deleted")), ("globex", written("sess_2", "taken_over", keep="socket_9"))])
    assert heard(redis, 2) == [("acme", "sess_1", "", "deleted"), ("globex", "sess_2", "socket_9", "taken_over")]
    assert redis.patterns == [redis_keys.ALL_ENDINGS]


def test_a_lost_connection_is_made_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endings, "RETRY_PAUSE_S", 0.001)
    redis = Redis([("acme", written("sess_1", "deleted")), None], [("acme", written("sess_2", "deleted"))])
    assert [ending[1] for ending in heard(redis, 2)] == ["sess_1", "sess_2"]
