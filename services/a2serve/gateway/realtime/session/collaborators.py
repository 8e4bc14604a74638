"""What a session is given: where its conversation is kept, who takes its records, its clock, its limits. Protocols only."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, Protocol, TypeAlias

from opentelemetry import trace

from a2serve.contracts.problems import Problem
from a2serve.contracts.records import RecordBase
from a2serve.contracts.server_events import RateLimit
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.hearing.voice_activity import VoiceActivity
from a2serve.gateway.model_client.interface import InferenceClient, Timings, Usage
from a2serve.gateway.realtime.response.metrics import ResponseMetrics
from a2serve.gateway.realtime.response.pacing import LEAD_MS
from a2serve.telemetry import names

EndedElsewhere: TypeAlias = Literal["deleted", "taken_over"]
Withdrawn: TypeAlias = Literal["revoked", "expired"]
CloseCause: TypeAlias = Literal["client_left", "slow_reader", "session_limit", "drain", "internal_error"] | EndedElsewhere | Withdrawn


class Disconnected(Exception):
    """The client is gone."""


class StoreUnavailable(Exception):
    """The store or the outbox cannot be reached now; the call is made again later."""


class SessionGone(Exception):
    """The session is not ours any more: it was deleted, or another socket or turn has it."""

    def __init__(self, cause: EndedElsewhere) -> None:
        super().__init__(cause)
        self.cause: EndedElsewhere = cause


class Transport(Protocol):
    """One socket. Raises Disconnected when the other side has left."""

    async def receive(self) -> str | bytes: ...
    async def send(self, frame: str | bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class SavedSession:
    """What survives a replica. `sequence`: number of the last event that was sent, or one that none can have reached.

    `lost`: bodies of response.done, of responses that were lost with their gateway.
    """

    config: dict[str, Any]
    items: list[dict[str, Any]]
    sequence: int = 0
    lost: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What holds if nothing more is heard of a socket or turn: its records, entries of the log, bodies of response.done."""

    records: tuple[RecordBase, ...] = ()
    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lost: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Change:
    """What is new of a stored session: entries of its log (`item_log`), the last event's number, the settings where they changed.

    `stored_items`: how many items it has now.
    """

    entries: list[dict[str, Any]]
    sequence: int
    config: dict[str, Any] | None = None
    stored_items: int = 0
    checkpoint: Checkpoint | None = None


class Allowance(Protocol):
    """What its tenant may still ask of the gateway."""

    async def take(self) -> None:
        """Counts one response. Raises Problem(rate_limited)."""
        ...

    async def left(self) -> list[RateLimit]:
        """As `rate_limits.updated` has it; empty where it cannot be told."""
        ...


class Guard(Protocol):
    """What a client secret fixes, for the sessions that are opened with it."""

    def check_settings(self, result: SessionConfig, where: str) -> None:
        """Raises Problem(forbidden) unless `result`, the settings after merging, keeps to it."""
        ...

    def check_item(self, item: object) -> None:
        """Raises Problem(forbidden) for an item that would be instructions."""
        ...

    def continued(self, saved: SavedSession, owner: "Owner") -> SavedSession:
        """A resumed session with what is fixed over it."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """Who made a session: the API key, the client secret (its grant's id), the end user. Kept with it; never changes."""

    key_id: str = ""
    grant_id: str = ""
    end_user_id: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose session it is, and which of its sockets or turns this is: `holder`, one of a kind.

    `owner` is written where the session is kept for the first time. `resumed_after`: the last event number that a returning
    client received. `guard` is None where nothing is fixed. `allowance` is None where nothing is counted.
    """

    session_id: str
    tenant: str
    holder: str = ""
    owner: Owner = Owner()
    resumed_after: int = 0
    guard: Guard | None = None
    allowance: Allowance | None = None


class Conversations(Protocol):
    """Where sessions are kept (Redis). Every call may raise StoreUnavailable, writing SessionGone too."""

    async def claim(self, identity: Identity) -> SavedSession | None:
        """What is kept of the session, which is this holder's from now on; None if there is none."""
        ...

    async def save(self, identity: Identity, saved: SavedSession, checkpoint: Checkpoint | None) -> None:
        """Replace everything: at the beginning, and when its log has grown long."""
        ...

    async def append(self, identity: Identity, change: Change) -> bool:
        """What is new. False: nothing is kept of the session any more, so save it."""
        ...

    def check_room(self, tenant: str, *, session: bool) -> None:
        """Raises Problem(storage_full) where the tenant stores as much as it may: a client adds no item then, or no session."""
        ...

    async def leave(self, identity: Identity) -> None:
        """All is written: the checkpoint is not needed any more."""
        ...

    def spool(self, identity: Identity, written: SavedSession | Change, /) -> bool:
        """Keep it on disk until it can be written; false where that cannot be. Then it has left, too."""
        ...


@dataclass(frozen=True, slots=True)
class TurnFacts:
    """One finished response, for the turn and usage records. Times in ms since the turn was called over.

    `input_audio_ms`: what the user committed since the response before. `model`: the revision that answered, as far as it is known.
    """

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
    input_audio_ms: int = 0
    motion_frames: int = 0
    trace_id: str = ""
    model: str = ""

    def phases_ms(self) -> dict[str, float]:
        """What the time to the first sound was spent on, by phase of telemetry.names; empty where no sound was sent or times are not known.

        Endpointing comes before that time, the other phases sum up to it.
        """
        inference = self.inference
        if self.first_packet_ms is None or not inference.first_audio_ms:
            return {}
        marks = (0.0, inference.queue_ms, inference.prefill_ms, inference.first_token_ms, inference.first_audio_ms)
        steps = [max(0.0, later - sooner) for sooner, later in pairwise(marks)]
        rest = max(0.0, self.first_packet_ms - self.transcription_ms - inference.first_audio_ms)
        return dict(zip(names.PHASES, (self.endpointing_ms, self.transcription_ms, *steps, rest), strict=True))


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A session began or ended, or a client changed its settings. `holder`: which of its sockets. `fresh`: made by it.

    `updates`: how often it changed settings; `updated`: which ones.
    """

    tenant: str
    session_id: str
    event: Literal["opened", "updated", "closed"]
    cause: str | None = None
    duration_ms: int = 0
    turns: int = 0
    holder: str = ""
    fresh: bool = False
    updates: int = 0
    updated: tuple[str, ...] = ()


class Records(Protocol):
    """Who writes what happened (outbox, then Kafka)."""

    async def write(self, facts: TurnFacts | SessionFacts) -> None:
        """Raises StoreUnavailable."""
        ...

    def spool(self, facts: TurnFacts | SessionFacts, /) -> bool:
        """Keep it on disk until it can be written; false where that cannot be."""
        ...

    def of_turn(self, facts: TurnFacts) -> list[RecordBase]: ...
    def of_session(self, facts: SessionFacts) -> list[RecordBase]: ...


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of one session."""

    max_event_bytes: int = 8 << 20
    max_input_ms: int = 300_000
    max_items: int = 1000
    max_conversation_bytes: int = 16 << 20
    queue_messages: int = 512  # from here on, and from so many bytes on, nothing more is read and nothing more is said
    queue_bytes: int = 2 << 20
    stall_s: float = 20.0  # who takes no frame for so long is no reader; a large one may take as long as SLOWEST_BYTES_S allows
    max_session_ms: int = 3_600_000
    go_away_ms: int = 30_000
    lead_ms: float = LEAD_MS
    parallel_responses: int = 2  # beside the conversation's own
    lost_after_s: float = 30.0  # a gateway that says nothing for so long is lost, and another one settles for it


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
    refused: Callable[[Problem], None] = lambda _: None  # told of every problem that a client of a socket is told of
    tracer: trace.Tracer = field(default_factory=lambda: trace.get_tracer("a2serve.gateway"))
    metrics: ResponseMetrics = field(default_factory=ResponseMetrics)
