"""The outbox: records leave through Redis, written in the same transaction as the state that they report, so that none is lost.

`outbox_sender` brings them to Kafka.
"""

from typing import Any

from redis.asyncio import Redis

from a2serve.contracts.records import RecordBase, key_of, topic_of, write_record
from a2serve.gateway.state import redis_keys

TOPIC, KEY, VALUE = b"topic", b"key", b"value"
# For a script that makes the change and tells of it: KEYS[2] is the outbox, `arguments` stand from `first` on.
ADD = """
for place = first, #ARGV, 3 do
    redis.call('XADD', KEYS[2], '*', 'topic', ARGV[place], 'key', ARGV[place + 1], 'value', ARGV[place + 2])
end
"""


class Outbox:
    """The writing end of the outbox."""

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
    """Puts records into a pipeline that also holds the change that they report."""
    for record in records:
        pipeline.xadd(redis_keys.OUTBOX, {TOPIC: topic_of(record), KEY: key_of(record), VALUE: write_record(record)})


def arguments(*records: RecordBase) -> list[str | bytes]:
    """The records as `ADD` takes them."""
    return [part for record in records for part in (topic_of(record), key_of(record), write_record(record))]
