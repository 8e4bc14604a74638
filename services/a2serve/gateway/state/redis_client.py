"""The connection to Redis: a bounded pool that outlives restarts and failovers, and a bound on every command's time.

A command that lost its connection is sent again on a fresh one, up to RETRIES times and within COMMAND_S. **So every command
may be carried out twice**, and its author has to make sure that this does no harm: records carry their id, items theirs,
leases and claims name their holder. (A request's share of a rate limit may be taken twice: that is all.)

redis-py's own `socket_timeout` (5 s unless it is said otherwise) is off: it goes through `asyncio.wait_for`, which on
Python 3.11 can swallow a cancellation, and then a task that was told to end never does. `asyncio.timeout` does not.
Its maintenance notifications (of Redis Enterprise) are off: with them on, a dead connection in the pool counts as usable.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterNode, ClusterPipeline
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError, ReadOnlyError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

COMMAND_S = 5.0  # longer than the longest blocking read
CONNECTIONS = 64
CLUSTER_CONNECTIONS = 1000  # of a node; here redis-py refuses what is over it, instead of waiting
RETRIES, BACKOFF_S, LONGEST_BACKOFF_S = 3, 0.05, 0.5
# ReadOnly: the server was made a replica meanwhile; nothing was written, and the name may lead to the new primary by now.
RETRIED = (RedisConnectionError, RedisTimeoutError, ReadOnlyError)

Credentials = Callable[[], tuple[str, ...]]


def connect(
    url: str, *, sentinel: str = "", cluster: bool = False, credentials: Credentials | None = None, tls: dict[str, str] | None = None
) -> "BoundedRedis":
    """A client that connects when it is first used. `sentinel`: the primary's name, where the URL's hosts are Sentinels.

    A cluster's client has the same commands; all our keys are in one of its slots (`redis_keys`).
    """
    options = _options(credentials) | (tls or {})
    if cluster:
        return cast(BoundedRedis, BoundedCluster(**_cluster_options(url, options)))
    pool_options = options | {"max_connections": CONNECTIONS, "timeout": 2}
    if sentinel:
        return _behind_sentinels(url, sentinel, tls or {}, pool_options)
    pool: Any = BlockingConnectionPool.from_url(url, **pool_options)  # pyright: ignore[reportUnknownMemberType]
    return _client(pool)


class BoundedRedis(Redis):
    """Every command raises redis' TimeoutError after COMMAND_S."""

    sentinels: Sentinel | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with _bounded():
            return await super().execute_command(*args, **options)  # pyright: ignore

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        """Makes a pipeline as redis-py does, but bounded."""
        return BoundedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """With the connections to Sentinels."""
        await super().aclose(close_connection_pool)
        if self.sentinels:
            await self.sentinels.aclose()


class BoundedPipeline(Pipeline):
    """The same for a whole pipeline."""

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        async with _bounded():
            return await super().execute(raise_on_error)


class BoundedCluster(RedisCluster):
    """The same for a cluster."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        async with _bounded():
            return await super().execute_command(*args, **options)

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """Makes a pipeline as redis-py does, but bounded."""
        return BoundedClusterPipeline(self, transaction)  # pyright: ignore[reportAbstractUsage]: redis-py's protocols


class BoundedClusterPipeline(ClusterPipeline):
    """A cluster's pipeline with bounded waiting."""

    async def execute(self, raise_on_error: bool = True, allow_redirections: bool = True) -> list[Any]:
        async with _bounded():
            return await super().execute(raise_on_error, allow_redirections)


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the Sentinels for the primary, for each new connection; waits when all are in use."""


class _Credentials(CredentialProvider):
    """Reads name and password for each connection; what cannot be read is refused as Redis would."""

    def __init__(self, read: Credentials) -> None:
        self._read = read

    def get_credentials(self) -> Any:
        try:
            return self._read()
        except ValueError as error:
            raise AuthenticationError(str(error)) from None

    async def get_credentials_async(self) -> Any:
        return self.get_credentials()


def _options(credentials: Credentials | None) -> dict[str, Any]:
    """Options of every connection."""
    retry = Retry(ExponentialWithJitterBackoff(LONGEST_BACKOFF_S, BACKOFF_S), RETRIES, RETRIED)
    options: dict[str, Any] = {"socket_connect_timeout": 2, "socket_timeout": None, "health_check_interval": 15, "retry": retry}
    options["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    return options | ({"credential_provider": _Credentials(credentials)} if credentials else {})


def _client(pool: Any) -> BoundedRedis:
    client = BoundedRedis(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


def _behind_sentinels(url: str, name: str, tls: dict[str, str], options: dict[str, Any]) -> BoundedRedis:
    """Connects by way of Sentinels. The URL's user and password are for the Sentinels; its database is Redis'."""
    hosts, said = _hosts(url)
    ssl = {"ssl": True} if url.startswith("rediss:") else {}
    own = {key: said[key] for key in ("username", "password") if key in said} | tls | ssl
    at_once = Retry(NoBackoff(), 0)  # where one Sentinel is down, the next one is asked
    sentinels = Sentinel(hosts, sentinel_kwargs={"socket_connect_timeout": 1, "socket_timeout": None, "retry": at_once} | own)
    pool: Any = _SentinelPool(name, sentinels, db=said.get("db", 0), **options, **ssl)
    client = _client(pool)
    client.sentinels = sentinels
    return client


def _cluster_options(url: str, options: dict[str, Any]) -> dict[str, Any]:
    hosts, said = _hosts(url)
    nodes = [ClusterNode(host, port) for host, port in hosts]
    own = {key: said[key] for key in ("username", "password") if key in said} | ({"ssl": True} if url.startswith("rediss:") else {})
    return options | own | {"startup_nodes": nodes, "max_connections": CLUSTER_CONNECTIONS}


def _hosts(url: str) -> tuple[list[tuple[str, int]], dict[str, Any]]:
    """Splits redis://[user:password@]HOST:PORT,HOST:PORT/0 into its hosts and what redis-py reads in the rest. Raises ValueError."""
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    read = [parse_url(urlunsplit(parts._replace(netloc=f"{user}{at}{host}"))) for host in hosts.split(",")]
    return [(str(one.get("host", "127.0.0.1")), int(one.get("port", 6379))) for one in read], dict(read[0])


@asynccontextmanager
async def _bounded() -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(COMMAND_S):
            yield
    except TimeoutError:
        raise RedisTimeoutError(f"Redis did not answer within {COMMAND_S:g} s") from None
