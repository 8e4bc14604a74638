"""The connection of a session, as the session sees it."""

from typing import Protocol


class Disconnected(Exception):
    """Raised if the client is gone."""


class Transport(Protocol):
    """One socket. Raises Disconnected when the other side has left."""

    async def receive(self) -> str | bytes: ...
    async def send(self, frame: str | bytes) -> None: ...
