"""Sessions and their conversations in Redis; a replica holds nothing that survives it.

A session is written by its holder alone: the socket or the turn that claimed it last. A later holder with an older
state, or with one that was deleted meanwhile, is refused with SessionGone.
"""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from a2serve.contracts.records import RecordBase, key_of, topic_of, write_record
from a2serve.gateway.conversation.item_log import items_of
from a2serve.gateway.state import endings, outbox, redis_keys
from a2serve.gateway.state.saved_session import Change, Checkpoint, Owner, SavedSession, SessionGone, SessionHolder
from a2serve.gateway.state.session_scripts import APPEND, CLAIM, DELETE, SAVE
from a2serve.gateway.state.spool import Spool
from a2serve.gateway.state.stored import Stored

DELETED_S = 24 * 3600  # longer than a socket lives
MOST_LOOKED_AT = 500  # sessions, for one page of a list
LISTED = ("created_at", "end_user_id", "metadata")


class SessionHead(BaseModel):
    """State of a session beside its conversation. `config` holds the settings as they are now."""

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
    lost: list[dict[str, Any]] = []  # bodies of response.done that the next connection is told

    @property
    def owner(self) -> Owner:
        return Owner(self.key_id, self.grant_id, self.end_user_id)


@dataclass(frozen=True, slots=True)
class SessionPage:
    """Part of a tenant's sessions, without their settings. `last_id`: where to go on."""

    heads: list[SessionHead]
    has_more: bool
    last_id: str | None


class SessionStore:
    """Every key lapses `ttl_s` after its last use. All methods take the tenant, or a holder that names it; there is no way to ask without.

    The `Conversations` of a session: claim, save, append, leave, spool, check_capacity.
    """

    def __init__(self, redis: "Redis", stored: Stored, spool: Spool, ttl_s: int, lost_after_s: float = 30.0) -> None:
        self._redis: Any = redis
        self._spool = spool
        self.stored = stored
        self._ttl_s, self._alive_ms = ttl_s, int(lost_after_s * 1000)
        self._scripts: dict[str, Any] = {text: redis.register_script(text) for text in (APPEND, SAVE, CLAIM, DELETE)}

    async def create(self, tenant: str, head: SessionHead, *records: RecordBase) -> SessionHead:
        """Keep a new session and its records in one transaction. Raises Problem(storage_full)."""
        fields = _fields(head)
        await self.stored.begin_session(tenant, head.session_id, len(fields["config"]) + len(fields["metadata"]), self._ttl_s)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.hset(redis_keys.session(tenant, head.session_id), mapping=fields)
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

    async def page(self, tenant: str, after: str, limit: int, end_user_id: str | None) -> SessionPage:
        """Those that are kept now, in order of their ids. Where few are of the end user, a page ends before it is full."""
        kept = await self._redis.zrangebyscore(redis_keys.stored_sessions(tenant), int(time.time() * 1000), "+inf", withscores=True)
        behind = sorted((name.decode(), until_ms) for name, until_ms in kept if name.decode() > after)
        looked = behind[:MOST_LOOKED_AT]
        pipeline = self._redis.pipeline(transaction=False)
        for session_id, _ in looked:
            pipeline.hmget(redis_keys.session(tenant, session_id), LISTED)
        facts: list[list[bytes | None]] = await pipeline.execute() if looked else []
        found = [_listed(*entry, values) for entry, values in zip(looked, facts, strict=True) if values[0]]
        heads = [head for head in found if end_user_id in (None, head.end_user_id)]
        if len(heads) > limit:
            return SessionPage(heads[:limit], has_more=True, last_id=heads[limit - 1].session_id)
        return SessionPage(heads, has_more=len(behind) > len(looked), last_id=looked[-1][0] if looked else None)

    async def items(self, tenant: str, session_id: str) -> list[dict[str, Any]]:
        """The conversation's items as they were stored, oldest first."""
        stored = await self._redis.lrange(redis_keys.conversation(tenant, session_id), 0, -1)
        return items_of(orjson.loads(raw) for raw in stored)  # an append whose answer was lost is made twice

    async def delete(self, tenant: str, session_id: str, *records: RecordBase) -> bool:
        """Forget it, with the records that say so; sockets that are open for it close, on whatever replica. False: it is not there."""
        keys = [
            redis_keys.session(tenant, session_id),
            redis_keys.OUTBOX,
            redis_keys.conversation(tenant, session_id),
            redis_keys.endings(tenant),
            redis_keys.deleted(tenant, session_id),
            redis_keys.stored_sessions(tenant),
        ]
        message, checkpoints = endings.written(session_id, "deleted"), redis_keys.checkpoint(tenant, "")
        args = [message, checkpoints, DELETED_S, session_id, *outbox.arguments(*records)]
        return bool(await self._scripts[DELETE](keys=keys, args=args))

    async def claim(self, identity: SessionHolder) -> SavedSession | None:
        """Settings, items and the number of the last event; only this holder can write them from now on. None: no such session."""
        tenant, session_id, holder = identity.tenant, identity.session_id, identity.holder
        keys = [
            redis_keys.session(tenant, session_id),
            redis_keys.conversation(tenant, session_id),
            redis_keys.endings(tenant),
            redis_keys.checkpoint(tenant, holder),
            redis_keys.OPEN,
        ]
        message, opened = endings.written(session_id, "taken_over", keep=holder), _opened(identity)
        if not await self._scripts[CLAIM](keys=keys, args=[holder, message, redis_keys.checkpoint(tenant, ""), self._alive_ms, opened]):
            return None
        head, items = await asyncio.gather(self.head(tenant, session_id), self.items(tenant, session_id))
        return SavedSession(head.config, _numbered(items, head), head.sequence, head.lost) if head else None

    async def save(self, identity: SessionHolder, saved: SavedSession, checkpoint: Checkpoint | None = None) -> None:
        """Replace settings and conversation, or make them, then with their owner. Raises SessionGone."""
        items = [orjson.dumps(item) for item in saved.items]
        owner = identity.owner
        made = (int(time.time()), owner.key_id, owner.grant_id, owner.end_user_id)
        await self._write(SAVE, identity, (saved.sequence, checkpoint), orjson.dumps(saved.config), *made, *items)

    async def append(self, identity: SessionHolder, change: Change) -> bool:
        """Writes what is new. False where the session has lapsed: nothing is written then. Raises SessionGone."""
        config = b"" if change.config is None else orjson.dumps(change.config)
        entries = [orjson.dumps(entry) for entry in change.entries]
        return await self._write(APPEND, identity, (change.sequence, change.checkpoint), config, *entries) != b"lapsed"

    async def leave(self, identity: SessionHolder) -> None:
        """Everything of this holder is written: there is nothing to settle."""
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(redis_keys.checkpoint(identity.tenant, identity.holder))
        pipeline.zrem(redis_keys.OPEN, _opened(identity))
        await pipeline.execute()

    def spool(self, identity: SessionHolder, written: SavedSession | Change, /) -> bool:
        """Keeps a session as it was when its socket closed, or its changes, on disk until `late_writes` delivers it."""
        whole = isinstance(written, SavedSession)
        return self._spool.put(
            {
                "tenant": identity.tenant,
                "session_id": identity.session_id,
                "holder": identity.holder,
                "owner": asdict(identity.owner),
                "whole": whole,
                "config": written.config,
                "entries": written.items if whole else written.entries,
                "sequence": written.sequence,
            }
        )

    def check_capacity(self, tenant: str, *, session: bool) -> None:
        """Raises Problem(storage_full) where the tenant stores as much as it may."""
        self.stored.check(tenant, session=session)

    async def _write(self, script: str, identity: SessionHolder, head: tuple[int, Checkpoint | None], *values: bytes | str | int) -> bytes:
        tenant, session_id, holder = identity.tenant, identity.session_id, identity.holder
        keys = [make(tenant, session_id) for make in (redis_keys.session, redis_keys.conversation, redis_keys.deleted)]
        keys += [redis_keys.checkpoint(tenant, holder), redis_keys.OPEN]
        keys += [redis_keys.stored_sessions(tenant), redis_keys.stored_sizes(tenant), redis_keys.stored_responses(tenant)]
        sequence, checkpoint = head
        alive = (*_stored(checkpoint), self._alive_ms, _opened(identity), session_id, *self.stored.bounds(tenant))
        outcome: bytes = await self._scripts[script](keys=keys, args=[holder, self._ttl_s, sequence, *alive, *values])
        if outcome in (b"deleted", b"taken_over"):
            raise SessionGone("deleted" if outcome == b"deleted" else "taken_over")
        if outcome != b"lapsed":
            self.stored.note(tenant, outcome)
        return outcome

    def _keep(self, pipeline: Any, tenant: str, session_id: str) -> None:
        for key in (redis_keys.session(tenant, session_id), redis_keys.conversation(tenant, session_id)):
            pipeline.expire(key, self._ttl_s)


def _fields(head: SessionHead) -> dict[str, Any]:
    return {
        "config": orjson.dumps(head.config),
        "sequence": head.sequence,
        "key_id": head.key_id,
        "grant_id": head.grant_id,
        "end_user_id": head.end_user_id,
        "created_at": head.created_at or int(time.time()),
        "metadata": orjson.dumps(head.metadata),
    }


def _head(session_id: str, fields: dict[bytes, bytes], expires_at: int) -> SessionHead:
    text = {name.decode(): value for name, value in fields.items()}
    return SessionHead(
        session_id=session_id,
        config=orjson.loads(text.get("config", b"{}")),
        sequence=int(text.get("sequence", 0)),
        key_id=text.get("key_id", b"").decode(),
        grant_id=text.get("grant_id", b"").decode(),
        end_user_id=text.get("end_user_id", b"").decode(),
        created_at=int(text.get("created_at", 0)),
        expires_at=expires_at,
        metadata=orjson.loads(text.get("metadata", b"{}")),
        lost=orjson.loads(text.get("lost", b"[]")),
    )


def _listed(session_id: str, until_ms: float, values: list[bytes | None]) -> SessionHead:
    given = {name.encode(): value for name, value in zip(LISTED, values, strict=True) if value is not None}
    return _head(session_id, given, int(until_ms / 1000))


def _opened(identity: SessionHolder) -> bytes:
    """A socket or turn in `OPEN`."""
    return orjson.dumps([identity.tenant, identity.session_id, identity.holder])


def _stored(checkpoint: Checkpoint | None) -> tuple[bytes, bytes, bytes]:
    """A checkpoint as it is stored: records as the outbox takes them, entries as the conversation does, so that settling only moves them.
    Empty: none is kept."""
    if checkpoint is None:
        return b"", b"", b""
    records = [(topic_of(record), key_of(record), write_record(record).decode()) for record in checkpoint.records]
    entries = [orjson.dumps(entry).decode() for entry in checkpoint.entries]
    return orjson.dumps(records), orjson.dumps(entries), orjson.dumps(checkpoint.lost)


def _numbered(items: list[dict[str, Any]], head: SessionHead) -> list[dict[str, Any]]:
    """Items of lost responses are news to every client, whatever it saw of them."""
    lost = {item["id"] for body in head.lost for item in body["output"]}
    return [item | {"sequence": head.sequence} if item["id"] in lost else item for item in items]
