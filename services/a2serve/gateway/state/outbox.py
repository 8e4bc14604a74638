"""Records leave through Redis first: written in the same transaction as the state they tell of, so that none is lost.

`outbox_sender` brings them to Kafka.
"""

from typing import Any

from redis.asyncio import Redis

from a2serve.contracts.records import RecordBase, key_of, topic_of, write_record
from a2serve.gateway.state import redis_keys

TOPIC, KEY, VALUE = b"topic", b"key", b"value"


class Outbox:
    """The writing end."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def write(self, *records: RecordBase) -> None:
        """Records that come with no change of state, all or none."""
        pipeline: Any = self._redis.pipeline(transaction=True)
        add(pipeline, *records)
        await pipeline.execute()

    async def waiting(self) -> int:
        """How many records have not been acknowledged by the broker."""
        return int(await self._redis.xlen(redis_keys.OUTBOX))


def add(pipeline: Any, *records: RecordBase) -> None:
    """Put records into a pipeline that also holds the change they tell of."""
    for record in records:
        pipeline.xadd(redis_keys.OUTBOX, {TOPIC: topic_of(record), KEY: key_of(record), VALUE: write_record(record)})
