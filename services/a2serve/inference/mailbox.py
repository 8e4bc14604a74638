"""Passes results from the engine's thread to one reader on the event loop."""

import asyncio
import time

from a2llm.messages import StepOutput

Event = StepOutput | Exception
Delivery = tuple["Mailbox", Event]


class Mailbox:
    """The outputs of one response that wait for their reader. put() and get() belong to the event loop; the rest is for anyone.

    opened_s: when its request arrived, of time.perf_counter.
    """

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self.opened_s = time.perf_counter()

    @property
    def unread(self) -> int:
        return self._events.qsize()

    def put(self, event: Event) -> None:
        self._events.put_nowait(event)

    async def get(self) -> StepOutput:
        """Returns the next output. Raises what ended this response."""
        event = await self._events.get()
        if isinstance(event, Exception):
            raise event
        return event


def deliver(events: list[Delivery]) -> None:
    for mailbox, event in events:
        mailbox.put(event)
