"""The connection of a session, as the session sees it: events come in and go out. The connection decides how they look on the wire."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from a2serve.contracts.client_events import ClientEventBase
from a2serve.contracts.packets import MediaPacket
from a2serve.contracts.server_events import ServerEventBase

Incoming: TypeAlias = ClientEventBase | MediaPacket
Outgoing: TypeAlias = ServerEventBase | MediaPacket


class Disconnected(Exception):
    """Raised if the client is gone."""


@dataclass(frozen=True, slots=True)
class Packed:
    """An event as its transport sends it, and how much of the queue it takes."""

    content: Any
    size_bytes: int


class Transport(Protocol):
    """One connection. Raises Disconnected when the other side has left."""

    async def receive(self) -> Incoming:
        """The next event. Raises Problem for what the client sent instead of one; the connection goes on."""
        ...

    def pack(self, event: Outgoing) -> Packed:
        """The event as `send` takes it."""
        ...

    async def send(self, packed: Packed) -> None:
        """Write it, waiting while the client does not read."""
        ...
