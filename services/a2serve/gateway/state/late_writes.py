"""Delivers to Redis the writes that sessions could not make when they ended and left in the spool."""

import logging
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from a2serve.contracts.records import RecordBase, key_of, topic_of, write_record
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.outbox import KEY, TOPIC, VALUE
from a2serve.gateway.state.saved_session import Change, Owner, SavedSession, SessionGone, SessionHolder
from a2serve.gateway.state.spool import Entry, Spool
from a2serve.gateway.state.store import SessionStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LateWrites:
    """Delivers writes that Redis missed; one per gateway."""

    redis: Redis
    store: SessionStore
    spool: Spool

    def records(self, records: list[RecordBase]) -> bool:
        """For the broker. False: the spool does not take them."""
        return self.stream(redis_keys.OUTBOX, [(topic_of(r), key_of(r), write_record(r).decode()) for r in records])

    def stream(self, name: str, entries: list[tuple[str, str, str]]) -> bool:
        """Entries of a stream of Redis: topic, key, value."""
        return self.spool.put({"stream": name, "entries": entries})

    async def deliver(self, entry: Entry) -> None:
        """Writes one entry into Redis. Raises RedisError."""
        if "stream" in entry:
            pipeline: Any = self.redis.pipeline(transaction=True)
            for topic, key, value in entry["entries"]:
                pipeline.xadd(entry["stream"], {TOPIC: topic, KEY: key, VALUE: value})
            await pipeline.execute()
        else:
            await self._deliver_session(entry)

    async def _deliver_session(self, entry: Entry) -> None:
        left = SessionHolder(entry["session_id"], entry["tenant"], entry["holder"], Owner(**entry["owner"]))
        try:
            if entry["whole"]:
                saved = SavedSession(entry["config"], entry["entries"], entry["sequence"])
                await self.store.save(left, saved)
            else:
                await self.store.append(left, Change(entry["entries"], entry["sequence"], entry["config"]))
        except SessionGone as gone:
            log.info("what was spooled of a session comes too late: %s", gone.cause, extra={"session_id": entry["session_id"]})
        await self.store.leave(left)
