"""Sessions and their conversations in Redis; a replica holds nothing that survives it. Implements `Conversations`."""

import time
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from a2serve.contracts.records import RecordBase
from a2serve.gateway.realtime.collaborators import SavedSession
from a2serve.gateway.state import outbox, redis_keys

_APPEND = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('HSET', KEYS[1], 'sequence', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1
"""


class SessionHead(BaseModel):
    """What is known of a session beside its conversation. `config` holds the settings as they are now."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    config: dict[str, Any]
    sequence: int = 0
    key_id: str = ""
    end_user_id: str = ""
    created_at: int = 0  # seconds since 1970
    expires_at: int = 0
    metadata: dict[str, str] = {}


class SessionStore:
    """Every key lapses `ttl_s` after its last use. All methods take the tenant first; there is no way to ask without."""

    def __init__(self, redis: "Redis", ttl_s: int) -> None:
        self._redis: Any = redis
        self._ttl_s = ttl_s
        self._append: Any = redis.register_script(_APPEND)

    async def create(self, tenant: str, head: SessionHead, *records: RecordBase) -> SessionHead:
        """Keep a new session and its records in one transaction."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hset(redis_keys.session(tenant, head.session_id), mapping=_fields(head))
        self._keep(pipeline, tenant, head.session_id)
        outbox.add(pipeline, *records)
        await pipeline.execute()
        now_s = int(time.time())
        return head.model_copy(update={"created_at": head.created_at or now_s, "expires_at": now_s + self._ttl_s})

    async def head(self, tenant: str, session_id: str) -> SessionHead | None:
        """The session, or None: unknown, lapsed, or another tenant's."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hgetall(redis_keys.session(tenant, session_id))
        pipeline.ttl(redis_keys.session(tenant, session_id))
        fields, left_s = await pipeline.execute()
        return _head(session_id, fields, int(time.time()) + left_s) if fields else None

    async def items(self, tenant: str, session_id: str) -> list[dict[str, Any]]:
        """The conversation's items as they were stored, oldest first."""
        stored = [orjson.loads(raw) for raw in await self._redis.lrange(redis_keys.conversation(tenant, session_id), 0, -1)]
        return list({item["id"]: item for item in stored}.values())  # an append whose answer was lost is made twice

    async def delete(self, tenant: str, session_id: str, *records: RecordBase) -> None:
        """Forget it, with the records that say so."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(redis_keys.session(tenant, session_id), redis_keys.conversation(tenant, session_id))
        outbox.add(pipeline, *records)
        await pipeline.execute()

    # --- Conversations ---------------------------------------------------------------------------------------------

    async def load(self, tenant: str, session_id: str) -> SavedSession | None:
        """Settings, items and the number of the last event."""
        head = await self.head(tenant, session_id)
        if head is None:
            return None
        return SavedSession(head.config, await self.items(tenant, session_id), head.sequence)

    async def save(self, tenant: str, session_id: str, saved: SavedSession) -> None:
        """Replace settings and conversation, or make them."""
        key = redis_keys.conversation(tenant, session_id)
        pipeline = self._redis.pipeline(transaction=True)
        changed = {"config": orjson.dumps(saved.config), "sequence": saved.sequence}
        pipeline.hset(redis_keys.session(tenant, session_id), mapping=changed)
        pipeline.hsetnx(redis_keys.session(tenant, session_id), "created_at", int(time.time()))
        pipeline.delete(key)
        if saved.items:
            pipeline.rpush(key, *(orjson.dumps(item) for item in saved.items))
        self._keep(pipeline, tenant, session_id)
        await pipeline.execute()

    async def append(self, tenant: str, session_id: str, item: dict[str, Any], sequence: int) -> None:
        """One more item; nothing where the session has been deleted meanwhile."""
        keys = [redis_keys.session(tenant, session_id), redis_keys.conversation(tenant, session_id)]
        await self._append(keys=keys, args=[orjson.dumps(item), sequence, self._ttl_s])

    def _keep(self, pipeline: Any, tenant: str, session_id: str) -> None:
        for key in (redis_keys.session(tenant, session_id), redis_keys.conversation(tenant, session_id)):
            pipeline.expire(key, self._ttl_s)


def _fields(head: SessionHead) -> dict[str, bytes | str | int]:
    return {
        "config": orjson.dumps(head.config), "sequence": head.sequence, "key_id": head.key_id, "end_user_id": head.end_user_id,
        "created_at": head.created_at or int(time.time()), "metadata": orjson.dumps(head.metadata),
    }  # fmt: skip


def _head(session_id: str, fields: dict[bytes, bytes], expires_at: int) -> SessionHead:
    text = {name.decode(): value for name, value in fields.items()}
    return SessionHead(
        session_id=session_id, config=orjson.loads(text.get("config", b"{}")), sequence=int(text.get("sequence", 0)),
        key_id=text.get("key_id", b"").decode(), end_user_id=text.get("end_user_id", b"").decode(),
        created_at=int(text.get("created_at", 0)), expires_at=expires_at, metadata=orjson.loads(text.get("metadata", b"{}")),
    )  # fmt: skip
