"""The connection to Redis: a bounded pool, and a bound on every command's time.

redis-py's own `socket_timeout` (5 s unless it is said otherwise) is off: it goes through `asyncio.wait_for`, which on
Python 3.11 can swallow a cancellation, and then a task that was told to end never does. `asyncio.timeout` does not.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import TimeoutError as RedisTimeoutError

COMMAND_S = 5.0  # longer than the longest blocking read
CONNECTIONS = 64


def connect(url: str) -> "BoundedRedis":
    """A client that connects when it is first used."""
    pool: Any = BlockingConnectionPool.from_url(  # pyright: ignore[reportUnknownMemberType]
        url, max_connections=CONNECTIONS, timeout=2, socket_connect_timeout=2, socket_timeout=None, health_check_interval=15
    )
    client = BoundedRedis(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


class BoundedRedis(Redis):
    """Every command raises redis' TimeoutError after COMMAND_S."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with _bounded():
            return await super().execute_command(*args, **options)  # pyright: ignore

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """As redis-py's."""
        return BoundedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class BoundedPipeline(Pipeline):
    """The same for a whole pipeline."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        async with _bounded():
            return await super().execute(raise_on_error)


@asynccontextmanager
async def _bounded() -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(COMMAND_S):
            yield
    except TimeoutError:
        raise RedisTimeoutError(f"Redis did not answer within {COMMAND_S:g} s") from None
