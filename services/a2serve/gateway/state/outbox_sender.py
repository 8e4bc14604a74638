"""Brings the outbox to Kafka, for ever: an entry is deleted only after the broker acknowledged it. Transcripts go to SQL in the same way.

Replicas share the work through a consumer group of the stream. Entries that a replica took and did not finish, because it died,
are taken over by another. So a record may arrive twice, and `record_id` shows it; it never gets lost.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeAlias

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from a2serve.contracts.kafka_access import BACKOFF_S
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.outbox import KEY, TOPIC, VALUE

GROUP = "senders"
BATCH = 200
WAIT_MS = 1000
TAKE_OVER_MS = 60_000
log = logging.getLogger(__name__)

Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]


class Producer(Protocol):
    """Delivers messages in their order; blocks meanwhile."""

    def deliver(self, messages: list[tuple[str, bytes, bytes]]) -> None:
        """Returns when the broker has all (topic, key, value); raises OSError when it does not."""
        ...

    def close(self) -> None: ...


class OutboxSender:
    """One per replica and stream; `run` ends only by cancellation. `name` is the replica's."""

    def __init__(self, redis: "Redis", make_producer: Callable[[], Producer], name: str, stream: str = redis_keys.OUTBOX) -> None:
        self._redis: Any = redis
        self._make_producer, self._name, self._stream = make_producer, name, stream
        self._producer: Producer | None = None
        self._thread = ThreadPoolExecutor(1, "a2-kafka")
        self._grouped = False
        self.failures = 0  # in a row; 0 while the broker answers

    async def run(self) -> None:
        """Sends records as they come, until cancelled."""
        try:
            while True:
                try:
                    await self._send_next()
                    self.failures = 0
                except (OSError, RedisError) as error:
                    await self._pause(error)
                except Exception as error:
                    log.exception("a defect: what is in %s is tried again", self._stream)
                    await self._pause(error)
        finally:
            await self._drop_producer()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _send_next(self) -> None:
        entries = await self._unfinished() or await self._new()
        if not entries:
            return
        messages = [(fields[TOPIC].decode(), fields[KEY], fields[VALUE]) for _, fields in entries if fields]  # none: erased meanwhile
        if messages:
            await self._in_thread(lambda: self._deliver(messages))
        ids = [entry_id for entry_id, _ in entries]
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.xack(self._stream, GROUP, *ids)
        pipeline.xdel(self._stream, *ids)
        await pipeline.execute()

    async def _unfinished(self) -> list[Entry]:
        """Entries that this replica took before and could not send, then those that a dead one left."""
        await self._make_group()
        own = await self._redis.xreadgroup(GROUP, self._name, {self._stream: "0"}, count=BATCH)
        if own and own[0][1]:
            return list(own[0][1])
        claimed = await self._redis.xautoclaim(self._stream, GROUP, self._name, TAKE_OVER_MS, "0-0", count=BATCH)
        return list(claimed[1])

    async def _new(self) -> list[Entry]:
        fresh = await self._redis.xreadgroup(GROUP, self._name, {self._stream: ">"}, count=BATCH, block=WAIT_MS)
        return list(fresh[0][1]) if fresh else []

    async def _make_group(self) -> None:
        if self._grouped:
            return
        with suppress(ResponseError):  # BUSYGROUP: it is there
            await self._redis.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        self._grouped = True

    def _deliver(self, messages: list[tuple[str, bytes, bytes]]) -> None:
        if self._producer is None:
            self._producer = self._make_producer()
        self._producer.deliver(messages)

    async def _pause(self, error: Exception) -> None:
        """A producer that failed is thrown away: after a lost batch its sequence numbers no longer fit the broker's."""
        pause_s = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        level = logging.WARNING if self.failures == 1 else logging.DEBUG
        log.log(level, "records wait in %s: %s", self._stream, error, extra={"retry_s": pause_s, "failures": self.failures})
        self._grouped = False  # Redis may have come back empty
        await self._drop_producer()
        await asyncio.sleep(pause_s)

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            await asyncio.to_thread(producer.close)  # ends a delivery that still waits in the sender's thread
        except Exception:  # this must not be what ends the sending
            log.exception("a defect in closing a producer")

    async def _in_thread(self, work: Callable[[], None]) -> None:
        """kafka-python blocks, so it has a thread of its own."""
        await asyncio.get_running_loop().run_in_executor(self._thread, work)
