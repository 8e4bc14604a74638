"""Records of what services have done: versioned JSON, one Kafka topic per kind.

A record is written once and may be delivered twice: `record_id` tells copies apart. Readers ignore unknown fields; a
field is never renamed or retyped, a new meaning gets a new `version`. Times are UTC. Not here: how records travel.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

TOPIC_SESSIONS = "a2.sessions"
TOPIC_TURNS = "a2.turns"
TOPIC_USAGE = "a2.usage"
TOPIC_AUDIT = "a2.audit"

# What the recorder's columns hold.
Count = Annotated[int, Field(ge=0, lt=1 << 63)]
Whole = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
SmallWhole = Annotated[int, Field(ge=-(1 << 31), lt=1 << 31)]
Word = Annotated[str, Field(max_length=16)]
Id = Annotated[str, Field(max_length=64)]
Name = Annotated[str, Field(max_length=128)]


def _now() -> datetime:
    return datetime.now(UTC)


def _new_id() -> str:
    return f"rec_{uuid.uuid4().hex}"


class RecordBase(BaseModel):
    """Fields that every record has."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    version: Literal[1] = 1
    record_id: str = Field(default_factory=_new_id, min_length=1, max_length=64)
    at: datetime = Field(default_factory=_now)
    tenant: str = Field(min_length=1, max_length=64)
    request_id: str = Field(default="", max_length=64)
    trace_id: str = Field(default="", max_length=32)


class SessionRecord(RecordBase):
    """A session was created by REST, opened or closed by a client, or deleted. `duration_ms`, `turns`: of what was closed."""

    kind: Literal["session"] = "session"
    session_id: Id
    event: Literal["created", "opened", "closed", "deleted"]
    key_id: Id = ""
    end_user_id: Name = ""
    cause: Word = ""
    duration_ms: Whole = 0
    turns: SmallWhole = 0


class TurnRecord(RecordBase):
    """One response and the turn that it answers. `first_packet_ms` counts from when the turn was called over; None: nothing came.

    `cut_ms`: the millisecond at which the response was cut. Words are not in it: a broker cannot forget a message before its time.
    """

    kind: Literal["turn"] = "turn"
    session_id: Id
    response_id: Id
    end_user_id: Name = ""
    status: Word
    endpointing_ms: FiniteFloat = 0.0
    transcription_ms: FiniteFloat = 0.0
    first_packet_ms: FiniteFloat | None = None
    queue_ms: FiniteFloat = 0.0
    prefill_ms: FiniteFloat = 0.0
    first_audio_ms: FiniteFloat = 0.0
    compute_ms: FiniteFloat = 0.0
    cut_ms: Whole | None = None
    audio_ms: Whole = 0


class UsageRecord(RecordBase):
    """Cost of a response, or (without `response_id`) how long a socket was open: billing counts these and nothing else."""

    kind: Literal["usage"] = "usage"
    session_id: Id
    response_id: Id
    end_user_id: Name = ""
    model: Name = ""
    input_tokens: Count = 0
    cached_tokens: Count = 0
    output_text_tokens: Count = 0
    input_audio_ms: Count = 0
    output_audio_ms: Count = 0
    output_motion_frames: Count = 0
    session_ms: Count = 0


COUNTED = tuple(name for name, field in UsageRecord.model_fields.items() if field.annotation is int)  # what a bill sums up


class AuditRecord(RecordBase):
    """A change: `actor` is the key's id, `action` such as `persona.create`, `target` what it was done to."""

    kind: Literal["audit"] = "audit"
    actor: Id
    action: Id
    target: Name = ""
    outcome: Literal["done", "refused"] = "done"
    detail: dict[str, str] = {}


Record: TypeAlias = Annotated[SessionRecord | TurnRecord | UsageRecord | AuditRecord, Field(discriminator="kind")]

RECORDS: dict[str, type[RecordBase]] = {
    TOPIC_SESSIONS: SessionRecord,
    TOPIC_TURNS: TurnRecord,
    TOPIC_USAGE: UsageRecord,
    TOPIC_AUDIT: AuditRecord,
}
TOPICS = tuple(RECORDS)
_TOPIC_OF = {kind: topic for topic, kind in RECORDS.items()}


def topic_of(record: RecordBase) -> str:
    """The topic a record belongs to."""
    return _TOPIC_OF[type(record)]


def key_of(record: RecordBase) -> str:
    """The Kafka key, which keeps an order: the session's id; for usage and audit the tenant."""
    return record.session_id if isinstance(record, SessionRecord | TurnRecord) else record.tenant


def write_record(record: RecordBase) -> bytes:
    """The record as one line of JSON."""
    return record.model_dump_json().encode()


def read_record(topic: str, raw: bytes) -> RecordBase:
    """Reads a record from its JSON. Raises ValueError for an unknown topic, other versions, and what is no record."""
    kind = RECORDS.get(topic)
    if kind is None:
        raise ValueError(f"no records belong to topic {topic!r}")
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{topic}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def record_schemas() -> dict[str, dict[str, Any]]:
    """JSON Schema of every topic's records."""
    return {topic: kind.model_json_schema() for topic, kind in RECORDS.items()}
