"""Writes batches into SQL: records once, with the offsets they came from, in one transaction. SQLite and Postgres."""

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, delete, event, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, IntegrityError

from a2serve.contracts.records import read_record
from a2serve.recorder.tables import TABLE_OF, erased, offsets, row_of, transcripts, unreadable, utc_now
from a2serve.recorder.upgrading import upgrade

# What a database says of a value that it cannot hold: the message's fault, which no second try mends.
UNSTORABLE = (DataError, IntegrityError, OverflowError)
BUSY_S = 5.0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the broker."""

    topic: str
    partition: int
    offset: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """Outcome of a batch: number of messages by (topic, outcome); outcome = stored | repeated | unreadable."""

    outcomes: Counter[tuple[str, str]]


class RecordDatabase:
    """One engine. Raises SQLAlchemyError when the database cannot be reached."""

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite" and parsed.database:
            Path(parsed.database).expanduser().parent.mkdir(parents=True, exist_ok=True)
        self._engine = create_engine(url, pool_pre_ping=True)
        if parsed.get_backend_name() == "sqlite":
            event.listen(self._engine, "connect", _wait_for_readers)
            event.listen(self._engine, "begin", _begin)

    @property
    def engine(self) -> Engine:
        return self._engine

    def migrate(self) -> None:
        """Bring the tables up to this version; replicas that start together wait for each other."""
        with self._engine.begin() as connection:
            upgrade(connection)

    def store(self, messages: Sequence[Message]) -> Stored:
        """Stores all of it or nothing. A message whose values the database refuses is set aside in `unreadable`, the others go on."""
        try:
            return self._store(messages, _store)
        except UNSTORABLE:
            return self._store(messages, _store_or_set_aside)

    def _store(self, messages: Sequence[Message], store: Callable[[Connection, Message], str]) -> Stored:
        outcomes: Counter[tuple[str, str]] = Counter()
        with self._engine.begin() as connection:
            for message in messages:
                outcomes[(message.topic, store(connection, message))] += 1
            for (topic, partition), last in {(m.topic, m.partition): m.offset for m in messages}.items():
                _remember(connection, topic, partition, last + 1)
        return Stored(outcomes)

    def next_offset(self, topic: str, partition: int) -> int | None:
        """Offset to go on from; None for a partition that was never read."""
        query = select(offsets.c.next_offset).where(offsets.c.topic == topic, offsets.c.partition == partition)
        with self._engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def delete_lapsed(self) -> int:
        """Deletes what may not be kept any longer; returns how many transcripts that was."""
        now = utc_now()
        with self._engine.begin() as connection:
            connection.execute(delete(erased).where(erased.c.delete_after < now))
            return connection.execute(delete(transcripts).where(transcripts.c.delete_after < now)).rowcount

    def close(self) -> None:
        self._engine.dispose()


def _store(connection: Connection, message: Message) -> str:
    try:
        record = read_record(message.topic, message.value)
    except ValueError as error:
        return _set_aside(connection, message, error)
    table = TABLE_OF[message.topic]
    statement = _insert(connection, table).values(row_of(record)).on_conflict_do_nothing(index_elements=["record_id"])
    # Not `rowcount`, which is -1 on Postgres.
    return "repeated" if connection.execute(statement.returning(table.c.record_id)).first() is None else "stored"


def _store_or_set_aside(connection: Connection, message: Message) -> str:
    try:
        with connection.begin_nested():
            return _store(connection, message)
    except UNSTORABLE as error:
        return _set_aside(connection, message, error)


def _set_aside(connection: Connection, message: Message, error: Exception) -> str:
    place = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
    why = str(getattr(error, "orig", error)).replace("\0", "")[:2000]
    row = place | {"at": utc_now(), "error": why, "value": message.value}
    connection.execute(_insert(connection, unreadable).values(row).on_conflict_do_nothing())
    return "unreadable"


def _remember(connection: Connection, topic: str, partition: int, next_offset: int) -> None:
    statement = _insert(connection, offsets).values(topic=topic, partition=partition, next_offset=next_offset)
    changed = statement.on_conflict_do_update(index_elements=["topic", "partition"], set_={"next_offset": next_offset})
    connection.execute(changed)


def _insert(connection: Connection, table: Table) -> Any:
    """`INSERT` that can say what a conflict means; both dialects spell it alike."""
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)


def _wait_for_readers(connection: Any, _: object) -> None:
    """SQLite: readers (the gateway) do not stop the writer, and a busy file is waited for."""
    connection.isolation_level = None  # transactions begin where SQLAlchemy says so, savepoints and CREATE TABLE included
    for pragma in ("busy_timeout=5000", "synchronous=NORMAL"):
        connection.execute(f"PRAGMA {pragma}")
    _to_wal(connection)


def _to_wal(connection: Any) -> None:
    """The file stays so for ever; while two change it at once, SQLite refuses one at once and does not wait."""
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.02)


def _begin(connection: Connection) -> None:
    """Begins a transaction. On SQLite a writer waits here for the others, and not in the middle."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
