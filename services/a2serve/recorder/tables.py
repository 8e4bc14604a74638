"""The tables. Rows are records as they came, each once (`record_id`); nothing is counted in them that could be counted twice.

Columns of a record's table are the fields of its contract; a migration follows a change here.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

from a2serve.contracts.records import COUNTED, TOPIC_AUDIT, TOPIC_SESSIONS, TOPIC_TURNS, TOPIC_USAGE, RecordBase

metadata = MetaData()


def _common() -> list[Column[Any]]:
    return [
        Column("record_id", String(64), primary_key=True),
        Column("at", DateTime, nullable=False),  # UTC
        Column("day", String(10), nullable=False),  # YYYY-MM-DD, UTC
        Column("tenant", String(64), nullable=False),
        Column("request_id", String(64), nullable=False),
        Column("trace_id", String(32), nullable=False),
    ]


def _spoken() -> list[Column[Any]]:
    return [
        Column("session_id", String(64), nullable=False, index=True),
        Column("response_id", String(64), nullable=False),
        Column("end_user_id", String(128), nullable=False),
    ]


sessions = Table(
    "sessions",
    metadata,
    *_common(),
    Column("session_id", String(64), nullable=False, index=True),
    Column("event", String(16), nullable=False),
    Column("key_id", String(64), nullable=False),
    Column("end_user_id", String(128), nullable=False),
    Column("cause", String(16), nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("turns", Integer, nullable=False),
    Index("sessions_by_tenant", "tenant", "at"),
)

turns = Table(
    "turns",
    metadata,
    *_common(),
    *_spoken(),
    Column("status", String(16), nullable=False),
    Column("user_text", Text, nullable=False, default=""),  # what was said was kept here once; both are empty now
    Column("avatar_text", Text, nullable=False, default=""),
    Column("endpointing_ms", Float, nullable=False),
    Column("transcription_ms", Float, nullable=False),
    Column("first_packet_ms", Float, nullable=True),
    Column("queue_ms", Float, nullable=False),
    Column("prefill_ms", Float, nullable=False),
    Column("first_audio_ms", Float, nullable=False),
    Column("compute_ms", Float, nullable=False),
    Column("cut_ms", BigInteger, nullable=True),
    Column("audio_ms", BigInteger, nullable=False),
    Index("turns_by_tenant", "tenant", "at"),
)

_COUNTED_LATER = ("output_motion_frames", "session_ms")  # columns that a migration added to rows that were there

usage = Table(
    "usage",
    metadata,
    *_common(),
    *_spoken(),
    Column("model", String(128), nullable=False),
    *(Column(name, BigInteger, nullable=False, server_default="0" if name in _COUNTED_LATER else None) for name in COUNTED),
    Index("usage_by_tenant", "tenant", "at"),
)

audit = Table(
    "audit",
    metadata,
    *_common(),
    Column("actor", String(64), nullable=False),
    Column("action", String(64), nullable=False),
    Column("target", String(128), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("detail", JSON, nullable=False),
    Index("audit_by_tenant", "tenant", "at"),
)

# What was said, for tenants that ask for it: written and erased by the gateway (state/transcripts.py), since it does not pass
# the broker. The recorder deletes what is older than `delete_after`.
transcripts = Table(
    "transcripts",
    metadata,
    Column("response_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("session_id", String(64), nullable=False),
    Column("end_user_id", String(128), nullable=False),
    Column("at", DateTime, nullable=False),  # UTC
    Column("user_text", Text, nullable=False),
    Column("avatar_text", Text, nullable=False),
    Column("delete_after", DateTime, nullable=False, index=True),
    Index("transcripts_by_session", "tenant", "session_id"),
)

# Sessions whose words were erased: what still comes in of them is erased too.
erased = Table(
    "erased",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("session_id", String(64), primary_key=True),
    Column("delete_after", DateTime, nullable=False),
)

# Up to where a partition was read; written in the same transaction as what was read.
offsets = Table(
    "offsets",
    metadata,
    Column("topic", String(128), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

# Messages that are no record we can read: kept, so that none is lost and none stops the others.
unreadable = Table(
    "unreadable",
    metadata,
    Column("topic", String(128), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("error", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
)

TABLE_OF = {TOPIC_SESSIONS: sessions, TOPIC_TURNS: turns, TOPIC_USAGE: usage, TOPIC_AUDIT: audit}


def row_of(record: RecordBase) -> dict[str, Any]:
    """The record as a row of its table."""
    at = record.at.astimezone(UTC)
    fields = {name: _storable(value) for name, value in record.model_dump(exclude={"version", "kind"}).items()}
    return fields | {"at": at.replace(tzinfo=None), "day": f"{at:%Y-%m-%d}"}


def _storable(value: Any) -> Any:
    """Postgres has no NUL in text."""
    return value.replace("\0", "") if isinstance(value, str) else value


def utc_now() -> datetime:
    """Returns the time in UTC without a zone, as columns hold it."""
    return datetime.now(UTC).replace(tzinfo=None)
