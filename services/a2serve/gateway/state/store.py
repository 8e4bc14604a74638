"""Sessions and their conversations in Redis; a replica holds nothing that survives it.

A session is written by its holder alone: the socket or the turn that claimed it last. Whoever comes later with an older
state, or with one that was deleted meanwhile, is refused with SessionGone.
"""

import asyncio
import time
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from a2serve.contracts.records import RecordBase
from a2serve.gateway.realtime.collaborators import Change, Owner, SavedSession, SessionGone
from a2serve.gateway.realtime.item_log import items_of
from a2serve.gateway.state import endings, outbox, redis_keys

DELETED_S = 24 * 3600  # longer than a socket lives
# KEYS: session, conversation, deleted. ARGV: holder, ttl, sequence, then what is written.
_OURS = """
if redis.call('EXISTS', KEYS[3]) == 1 then return 'deleted' end
local holder = redis.call('HGET', KEYS[1], 'holder')
if holder and holder ~= ARGV[1] then return 'taken_over' end
"""
_KEPT = """
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 'kept'
"""
_APPEND = f"""{_OURS}
if redis.call('EXISTS', KEYS[1]) == 0 then return 'lapsed' end
redis.call('HSET', KEYS[1], 'sequence', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'config', ARGV[4]) end
for place = 5, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[place]) end
{_KEPT}"""
_SAVE = f"""{_OURS}
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'sequence', ARGV[3], 'config', ARGV[4])
for place, field in ipairs({{'created_at', 'key_id', 'grant_id', 'end_user_id'}}) do
    redis.call('HSETNX', KEYS[1], field, ARGV[4 + place])
end
redis.call('DEL', KEYS[2])
for place = 9, #ARGV do redis.call('RPUSH', KEYS[2], ARGV[place]) end
{_KEPT}"""
_CLAIM = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'holder', ARGV[1])
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
"""


class SessionHead(BaseModel):
    """What is known of a session beside its conversation. `config` holds the settings as they are now."""

    model_config = ConfigDict(frozen=True)

    session_id: str
    config: dict[str, Any]
    sequence: int = 0
    key_id: str = ""
    grant_id: str = ""
    end_user_id: str = ""
    created_at: int = 0  # seconds since 1970
    expires_at: int = 0
    metadata: dict[str, str] = {}

    @property
    def owner(self) -> Owner:
        return Owner(self.key_id, self.grant_id, self.end_user_id)


class SessionStore:
    """Every key lapses `ttl_s` after its last use. All methods take the tenant first; there is no way to ask without."""

    def __init__(self, redis: "Redis", ttl_s: int) -> None:
        self._redis: Any = redis
        self._ttl_s = ttl_s
        self._scripts: dict[str, Any] = {text: redis.register_script(text) for text in (_APPEND, _SAVE, _CLAIM)}

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
        stored = await self._redis.lrange(redis_keys.conversation(tenant, session_id), 0, -1)
        return items_of(orjson.loads(raw) for raw in stored)  # an append whose answer was lost is made twice

    async def delete(self, tenant: str, session_id: str, *records: RecordBase) -> None:
        """Forget it, with the records that say so; sockets that are open for it close, on whatever replica."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(redis_keys.session(tenant, session_id), redis_keys.conversation(tenant, session_id))
        pipeline.set(redis_keys.deleted(tenant, session_id), 1, ex=DELETED_S)
        told = (redis_keys.endings(tenant), endings.written(session_id, "deleted"))
        pipeline.execute_command("PUBLISH", *told)  # redis-py's `publish` refuses in a cluster; in one slot there is nothing against it
        outbox.add(pipeline, *records)
        await pipeline.execute()

    async def claim(self, tenant: str, session_id: str, holder: str) -> SavedSession | None:
        """Settings, items and the number of the last event; only `holder` can write them from now on. None: no such session."""
        keys = [redis_keys.session(tenant, session_id), redis_keys.endings(tenant)]
        if not await self._scripts[_CLAIM](keys=keys, args=[holder, endings.written(session_id, "taken_over", keep=holder)]):
            return None
        head, items = await asyncio.gather(self.head(tenant, session_id), self.items(tenant, session_id))
        return SavedSession(head.config, items, head.sequence) if head else None

    async def save(self, tenant: str, session_id: str, holder: str, saved: SavedSession, owner: Owner) -> None:
        """Replace settings and conversation, or make them, then with their owner. Raises SessionGone."""
        items = [orjson.dumps(item) for item in saved.items]
        made = (int(time.time()), owner.key_id, owner.grant_id, owner.end_user_id)
        await self._write(_SAVE, tenant, session_id, holder, saved.sequence, orjson.dumps(saved.config), *made, *items)

    async def append(self, tenant: str, session_id: str, holder: str, change: Change) -> bool:
        """What is new. False where the session has lapsed: nothing is written then. Raises SessionGone."""
        config = b"" if change.config is None else orjson.dumps(change.config)
        entries = [orjson.dumps(entry) for entry in change.entries]
        return await self._write(_APPEND, tenant, session_id, holder, change.sequence, config, *entries) == b"kept"

    async def _write(self, script: str, tenant: str, session_id: str, holder: str, sequence: int, *values: bytes | str | int) -> bytes:
        keys = [make(tenant, session_id) for make in (redis_keys.session, redis_keys.conversation, redis_keys.deleted)]
        answer: bytes = await self._scripts[script](keys=keys, args=[holder, self._ttl_s, sequence, *values])
        if answer in (b"deleted", b"taken_over"):
            raise SessionGone("deleted" if answer == b"deleted" else "taken_over")
        return answer

    def _keep(self, pipeline: Any, tenant: str, session_id: str) -> None:
        for key in (redis_keys.session(tenant, session_id), redis_keys.conversation(tenant, session_id)):
            pipeline.expire(key, self._ttl_s)


def _fields(head: SessionHead) -> dict[str, bytes | str | int]:
    return {
        "config": orjson.dumps(head.config), "sequence": head.sequence, "key_id": head.key_id, "grant_id": head.grant_id,
        "end_user_id": head.end_user_id,
        "created_at": head.created_at or int(time.time()), "metadata": orjson.dumps(head.metadata),
    }  # fmt: skip


def _head(session_id: str, fields: dict[bytes, bytes], expires_at: int) -> SessionHead:
    text = {name.decode(): value for name, value in fields.items()}
    return SessionHead(
        session_id=session_id, config=orjson.loads(text.get("config", b"{}")), sequence=int(text.get("sequence", 0)),
        key_id=text.get("key_id", b"").decode(), grant_id=text.get("grant_id", b"").decode(),
        end_user_id=text.get("end_user_id", b"").decode(),
        created_at=int(text.get("created_at", 0)), expires_at=expires_at, metadata=orjson.loads(text.get("metadata", b"{}")),
    )  # fmt: skip
