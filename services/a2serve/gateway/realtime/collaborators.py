"""What a session is given: where its conversation is kept, who takes its records, its clock, its limits. Protocols only."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from opentelemetry import trace

from a2serve.contracts.client_events import ClientEventBase
from a2serve.gateway.hearing.voice_activity import VoiceActivity
from a2serve.gateway.model_client.interface import InferenceClient, Timings, Usage

CloseCause: TypeAlias = Literal["client_left", "slow_reader", "session_limit", "drain", "internal_error"]


class Disconnected(Exception):
    """The client is gone."""


class StoreUnavailable(Exception):
    """The store or the outbox cannot be reached now; the call is made again later."""


class Transport(Protocol):
    """One socket. Raises Disconnected when the other side has left."""

    async def receive(self) -> str | bytes: ...
    async def send(self, frame: str | bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What survives a replica. `sequence`: number of the last event that was sent."""

    config: dict[str, Any]
    items: list[dict[str, Any]]
    sequence: int = 0


class Conversations(Protocol):
    """Where sessions are kept (Redis). Every call may raise StoreUnavailable."""

    async def load(self, tenant: str, session_id: str) -> SavedSession | None: ...
    async def save(self, tenant: str, session_id: str, saved: SavedSession) -> None:
        """Replace everything: after an update, a deletion, a cut."""
        ...

    async def append(self, tenant: str, session_id: str, item: dict[str, Any], sequence: int) -> None:
        """One more item at the end: the common case."""
        ...


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """One finished response, for the turn and usage records. Times in ms since the turn was called over."""

    tenant: str
    session_id: str
    response_id: str
    status: str
    user_text: str
    avatar_text: str
    usage: Usage
    inference: Timings
    endpointing_ms: float = 0.0
    transcription_ms: float = 0.0
    first_packet_ms: float | None = None
    cut_ms: int | None = None
    audio_ms: int = 0
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session began or ended."""

    tenant: str
    session_id: str
    event: Literal["opened", "closed"]
    cause: CloseCause | None = None
    duration_ms: int = 0
    turns: int = 0


class Records(Protocol):
    """Who writes what happened (outbox, then Kafka). Calls may raise StoreUnavailable."""

    async def turn(self, facts: TurnFacts) -> None: ...
    async def session(self, facts: SessionFacts) -> None: ...


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of one session."""

    max_event_bytes: int = 8 << 20
    max_input_ms: int = 300_000
    max_items: int = 1000
    queue_messages: int = 1024
    queue_bytes: int = 4 << 20
    stall_s: float = 20.0
    max_session_ms: int = 3_600_000
    go_away_ms: int = 30_000
    lead_ms: float = 1500.0
    parallel_responses: int = 2  # beside the conversation's own
    requests_per_minute: int = 600
    tokens_per_minute: int = 100_000


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose session it is. `resumed_after`: the last event number that a returning client received.

    `guard` sees every event before it is done, and raises Problem for what a client secret does not allow.
    """

    session_id: str
    tenant: str
    resumed_after: int = 0
    guard: Callable[[ClientEventBase], None] | None = None


def monotonic_ms() -> float:
    """The session's clock."""
    return time.monotonic() * 1000


def random_id(prefix: str) -> str:
    """`item_3f…`, as the wire has them."""
    return f"{prefix}_{secrets.token_hex(10)}"


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything a session works with; tests pass their own clock, ids and store."""

    inference: InferenceClient
    conversations: Conversations
    records: Records
    limits: SessionLimits = SessionLimits()
    now_ms: Callable[[], float] = monotonic_ms
    new_id: Callable[[str], str] = random_id
    new_ears: Callable[[], VoiceActivity] = VoiceActivity
    tracer: trace.Tracer = field(default_factory=lambda: trace.get_tracer("a2serve.gateway"))
