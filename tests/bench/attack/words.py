"""Deletes what people said: after DELETE nothing of it is left in SQL, in Redis, or in what the broker keeps."""

import asyncio
import uuid

from bench.attack.stand import Stand
from bench.attack.talk import rest
from kafka import KafkaConsumer, TopicPartition
from redis import Redis

from a2serve.contracts.records import TOPICS
from a2serve.local.ports import HOST

SETTLE_S = 8.0


async def deleted(stand: Stand) -> dict[str, float]:
    """Words are said by REST with the transcript on, the session is deleted; then all bytes are searched."""
    word = f"xyzzy{uuid.uuid4().hex[:12]}"
    gateway = stand.gateways[1]
    async with rest(gateway, stand.keys["acme"]) as calls:
        made = (await calls.post("/v1/sessions", json={"session": {}, "end_user_id": "user-1"})).json()["id"]
        answered = await calls.post(f"/v1/sessions/{made}/turns", json={"text": f"My secret word is {word}.", "stream": False})
        assert answered.status_code == 200, answered.text
        there = await calls.get(f"/v1/sessions/{made}/items")
        assert word in there.text
        await asyncio.sleep(SETTLE_S)
        assert (await calls.delete(f"/v1/sessions/{made}")).status_code == 204
    await asyncio.sleep(SETTLE_S)
    return {"words_left_after_delete": sum(find(stand, word.encode()) for find in (_in_sql, _in_redis, _in_kafka))}


def _in_sql(stand: Stand, word: bytes) -> int:
    return sum(path.read_bytes().count(word) for path in stand.folder.glob("recorder.sqlite*"))


def _in_redis(stand: Stand, word: bytes) -> int:
    with Redis(HOST, stand.parts["valkey"].port) as redis:
        return sum(word in (redis.dump(key) or b"") or word in key for key in redis.scan_iter(count=1000))


def _in_kafka(stand: Stand, word: bytes) -> int:
    """Every message that the broker still gives."""
    consumer = KafkaConsumer(bootstrap_servers=f"{HOST}:{stand.parts['broker'].port}", enable_auto_commit=False, consumer_timeout_ms=5000)
    try:
        parts = [TopicPartition(topic, number) for topic in TOPICS for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(parts)
        consumer.seek_to_beginning()
        return sum(word in (message.value or b"") or word in (message.key or b"") for message in consumer)
    finally:
        consumer.close()
