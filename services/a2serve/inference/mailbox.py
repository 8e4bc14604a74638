"""From the engine's thread to one reader on the event loop."""

import asyncio

from a2serve.inference.exchange import Piece

Event = Piece | Exception
Delivery = tuple["Mailbox", Event]


class Mailbox:
    """The pieces of one response that wait for their reader. put() and get() belong to the event loop; `unread` is for anyone."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    @property
    def unread(self) -> int:
        return self._events.qsize()

    def put(self, event: Event) -> None:
        self._events.put_nowait(event)

    async def get(self) -> Piece:
        """The next piece. Raises what ended this response."""
        event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        return event


def deliver(events: list[Delivery]) -> None:
    for mailbox, event in events:
        mailbox.put(event)
