"""The collaborators that a session is given: its store, its records, inference, its clock, its limits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from opentelemetry import trace

from a2serve.contracts.problems import Problem
from a2serve.contracts.records import RecordBase
from a2serve.contracts.server_events import RateLimit
from a2serve.gateway.access.client_secrets import Grant
from a2serve.gateway.access.watch import Withdrawn
from a2serve.gateway.hearing.voice_activity import VoiceActivity
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.response.metrics import ResponseMetrics
from a2serve.gateway.realtime.session.clock import monotonic_ms, random_id
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Change, Checkpoint, EndedElsewhere, SavedSession, SessionHolder

CloseCause: TypeAlias = Literal["client_left", "slow_reader", "session_limit", "drain", "internal_error"] | EndedElsewhere | Withdrawn


class Allowance(Protocol):
    """Requests that the tenant may still make."""

    async def take(self) -> None:
        """Counts one response. Raises Problem(rate_limited)."""
        ...

    async def left(self) -> list[RateLimit]:
        """Limits as `rate_limits.updated` has them; empty if they are not known."""
        ...


@dataclass(frozen=True, slots=True)
class Identity(SessionHolder):
    """Identity of a session: its tenant, which of its sockets or turns this is, and what its client may do.

    `resumed_after`: the last event number that a returning client received. `guard`: the client secret that fixes settings; None where
    nothing is fixed. `allowance` is None where nothing is counted.
    """

    resumed_after: int = 0
    guard: Grant | None = None
    allowance: Allowance | None = None


class Conversations(Protocol):
    """The store of sessions (Redis). Every call may raise RedisError, writing SessionGone too."""

    async def claim(self, identity: SessionHolder) -> SavedSession | None:
        """Returns what is kept of the session, which is this holder's from now on; None if there is none."""
        ...

    async def save(self, identity: SessionHolder, saved: SavedSession, checkpoint: Checkpoint | None) -> None:
        """Replace everything: at the beginning, and when its log has grown long."""
        ...

    async def append(self, identity: SessionHolder, change: Change) -> bool:
        """Writes what is new. False: nothing is kept of the session any more, so save it."""
        ...

    def check_capacity(self, tenant: str, *, session: bool) -> None:
        """Raises Problem(storage_full) where the tenant stores as much as it may: a client adds no item then, or no session."""
        ...

    async def leave(self, identity: SessionHolder) -> None:
        """All is written: the checkpoint is not needed any more."""
        ...

    def spool(self, identity: SessionHolder, written: SavedSession | Change, /) -> bool:
        """Keep it on disk until it can be written; false where that cannot be. Then it has left, too."""
        ...


class Records(Protocol):
    """Writes records of what happened (outbox, then Kafka)."""

    async def write(self, facts: TurnFacts | SessionFacts) -> None:
        """Writes one record. Raises RedisError."""
        ...

    def spool(self, facts: TurnFacts | SessionFacts, /) -> bool:
        """Keep it on disk until it can be written; false where that cannot be."""
        ...

    def of_turn(self, facts: TurnFacts) -> list[RecordBase]: ...
    def of_session(self, facts: SessionFacts) -> list[RecordBase]: ...


@dataclass(frozen=True, slots=True)
class Collaborators:
    """Everything a session works with; tests pass their own clock, ids and store."""

    inference: InferenceClient
    conversations: Conversations
    records: Records
    limits: SessionLimits = field(default_factory=SessionLimits)
    now_ms: Callable[[], float] = monotonic_ms
    new_id: Callable[[str], str] = random_id
    new_ears: Callable[[], VoiceActivity] = VoiceActivity
    refused: Callable[[Problem], None] = lambda _: None  # told of every problem that a client of a socket is told of
    tracer: trace.Tracer = field(default_factory=lambda: trace.get_tracer("a2serve.gateway"))
    metrics: ResponseMetrics = field(default_factory=ResponseMetrics)
