"""Transcripts, for tenants that ask for them (`transcripts_days`): into SQL by way of a stream in Redis, and out of both again.

They do not go by the broker, which cannot forget a message before its time. A word that is still on its way when its session is
erased comes too late: the writer looks afterwards whether it was erased meanwhile, and the eraser says so before.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import orjson
from redis.asyncio import Redis
from sqlalchemy import Connection, DateTime, Engine, create_engine, delete, exists, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import column, table

from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.facts import TurnFacts
from a2serve.gateway.state.outbox import KEY, TOPIC, VALUE

LONGEST_TEXT = 20_000
ERASED_DAYS = 7  # longer than a word may be on its way
PAGE = 500
MOMENTS = ("at", "delete_after")
log = logging.getLogger(__name__)

# The recorder makes them: recorder/tables.py.
_WORDS: list[Any] = [column(name) for name in ("response_id", "tenant", "session_id", "end_user_id", "user_text", "avatar_text")]
_MOMENTS: list[Any] = [column(name, DateTime) for name in MOMENTS]
TRANSCRIPTS = table("transcripts", *_WORDS, *_MOMENTS)
ERASED = table("erased", column("tenant"), column("session_id"), column("delete_after", DateTime))


class TranscriptTable:
    """The SQL end; blocking. As a `Producer` it raises OSError while the database cannot be reached."""

    def __init__(self, url: str) -> None:
        self._url = url

    def deliver(self, messages: Sequence[tuple[str, bytes, bytes]]) -> None:
        """Writes rows, each once, and takes out again what was erased meanwhile. Raises ConnectionError while the database is away."""
        rows = [_row(value) for _, _, value in messages]
        try:
            with self._engine.begin() as connection:
                connection.execute(_insert(connection, TRANSCRIPTS).on_conflict_do_nothing(), rows)
            with self._engine.begin() as connection:
                connection.execute(_erased_of({row["session_id"] for row in rows}))
        except SQLAlchemyError as error:
            raise ConnectionError(f"the table of transcripts cannot be written: {error}") from None

    def erase(self, tenant: str, session_id: str) -> int:
        """How many were there. Raises SQLAlchemyError."""
        mark = {"tenant": tenant, "session_id": session_id, "delete_after": _utc_now() + timedelta(days=ERASED_DAYS)}
        with self._engine.begin() as connection:
            connection.execute(_insert(connection, ERASED).values(mark).on_conflict_do_nothing())
        own = delete(TRANSCRIPTS).where(TRANSCRIPTS.c.tenant == tenant, TRANSCRIPTS.c.session_id == session_id)
        with self._engine.begin() as connection:
            return connection.execute(own).rowcount

    def close(self) -> None:
        self._engine.dispose()

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(self._url, pool_pre_ping=True, pool_size=2)


class Transcripts:
    """One per gateway. `days`: for how many a tenant's words are kept. Without a table nothing is, and nothing is there to erase."""

    def __init__(self, redis: "Redis", days: Callable[[str], int], words: TranscriptTable | None) -> None:
        self._redis: Any = redis
        self._days, self._table = days, words
        self._warned = False

    async def keep(self, facts: TurnFacts, end_user_id: str) -> None:
        """Keeps a turn's words if the tenant asks for it. Raises RedisError."""
        if row := self.row(facts, end_user_id):
            await self._redis.xadd(redis_keys.TRANSCRIPTS, {TOPIC: b"", KEY: facts.session_id, VALUE: row})

    def row(self, facts: TurnFacts, end_user_id: str) -> bytes:
        """Row to keep, as JSON; empty if nothing is kept."""
        days = self._days(facts.tenant)
        if days and self._table is None:
            self._tell(facts.tenant)
        if not days or self._table is None or not (facts.user_text or facts.avatar_text):
            return b""
        at = _utc_now()
        row = {
            "response_id": facts.response_id,
            "tenant": facts.tenant,
            "session_id": facts.session_id,
            "end_user_id": end_user_id,
            "at": at,
            "delete_after": at + timedelta(days=days),
            "user_text": _storable(facts.user_text),
            "avatar_text": _storable(facts.avatar_text),
        }
        return orjson.dumps(row)

    async def erase(self, tenant: str, session_id: str) -> bool:
        """Whether there was any. Raises RedisError, SQLAlchemyError; repeat it then."""
        if self._table is None:
            return False
        waiting = await self._erase_waiting(tenant, session_id)
        return bool(await asyncio.to_thread(self._table.erase, tenant, session_id) or waiting)

    def close(self) -> None:
        if self._table:
            self._table.close()

    async def _erase_waiting(self, tenant: str, session_id: str) -> int:
        found, after = 0, "-"
        while entries := await self._redis.xrange(redis_keys.TRANSCRIPTS, min=after, count=PAGE):
            own = [entry_id for entry_id, fields in entries if _is_of(fields, tenant, session_id)]
            found += len(own)
            if own:
                await self._redis.xdel(redis_keys.TRANSCRIPTS, *own)
            after = f"({entries[-1][0].decode()}"
        return found

    def _tell(self, tenant: str) -> None:
        if not self._warned:
            log.warning("transcripts_days of tenant %s is without effect: A2_GATEWAY_TRANSCRIPT_DATABASE is empty", tenant)
        self._warned = True


def _is_of(fields: dict[bytes, bytes], tenant: str, session_id: str) -> bool:
    return fields[KEY] == session_id.encode() and orjson.loads(fields[VALUE])["tenant"] == tenant


def _row(value: bytes) -> dict[str, Any]:
    row = orjson.loads(value)
    return row | {name: datetime.fromisoformat(row[name]) for name in MOMENTS}


def _storable(words: str) -> str:
    """Removes what SQL cannot store: Postgres has no NUL in text, and half a surrogate pair is no UTF-8."""
    return words[:LONGEST_TEXT].replace("\0", "").encode(errors="replace").decode()


def _erased_of(session_ids: set[str]) -> Any:
    same = (ERASED.c.tenant == TRANSCRIPTS.c.tenant, ERASED.c.session_id == TRANSCRIPTS.c.session_id)
    return delete(TRANSCRIPTS).where(TRANSCRIPTS.c.session_id.in_(session_ids), exists(select(ERASED.c.tenant).where(*same)))


def _insert(connection: Connection, into: Any) -> Any:
    """An `INSERT` that can say what a conflict means; both dialects spell it alike."""
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(into)


def _utc_now() -> datetime:
    """Returns the time in UTC without a zone, as columns hold it."""
    return datetime.now(UTC).replace(tzinfo=None)
