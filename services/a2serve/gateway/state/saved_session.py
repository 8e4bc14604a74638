"""A session as it is stored between connections: its owner, its state, and the outcomes of a write."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from a2serve.contracts.records import RecordBase

EndedElsewhere: TypeAlias = Literal["deleted", "taken_over"]


class SessionGone(Exception):
    """The session is not ours any more: it was deleted, or another socket or turn has it."""

    def __init__(self, cause: EndedElsewhere) -> None:
        super().__init__(cause)
        self.cause: EndedElsewhere = cause


@dataclass(frozen=True, slots=True)
class Owner:
    """Maker of a session: the API key, the client secret (its grant's id), the end user. Kept with it; never changes."""

    key_id: str = ""
    grant_id: str = ""
    end_user_id: str = ""


@dataclass(frozen=True, slots=True)
class SessionHolder:
    """One of the sockets or turns that a session has had: `holder` is one of a kind. Only the last one may write.

    `owner` is written where the session is kept for the first time.
    """

    session_id: str
    tenant: str
    holder: str = ""
    owner: Owner = Owner()


@dataclass(frozen=True, slots=True)
class SavedSession:
    """State that survives a replica. `sequence`: number of the last event that was sent, or one that none can have reached.

    `lost`: bodies of response.done, of responses that were lost with their gateway.
    """

    config: dict[str, Any]
    items: list[dict[str, Any]]
    sequence: int = 0
    lost: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State that holds if nothing more is heard of a socket or turn: its records, entries of the log, bodies of response.done."""

    records: tuple[RecordBase, ...] = ()
    entries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    lost: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@dataclass(frozen=True, slots=True)
class Change:
    """Changes of a stored session: entries of its log (`item_log`), the last event's number, the settings where they changed.

    `stored_items`: how many items it has now.
    """

    entries: list[dict[str, Any]]
    sequence: int
    config: dict[str, Any] | None = None
    stored_items: int = 0
    checkpoint: Checkpoint | None = None
