"""Writes a session's conversation and records behind its back: in order, never in the way, again when the store is down."""

import asyncio
from collections.abc import Awaitable, Callable

from a2serve.gateway.realtime.collaborators import (
    Collaborators,
    EndedElsewhere,
    Identity,
    SavedSession,
    SessionFacts,
    SessionGone,
    StoreUnavailable,
    TurnFacts,
)
from a2serve.gateway.realtime.conversation import Item

RETRY_PAUSE_S = 0.5
DRAIN_S = 5.0


class Keeper:
    """`snapshot()` is the whole session as it is to be kept. Once it is `gone`, only records are written."""

    def __init__(self, identity: Identity, parts: Collaborators, snapshot: Callable[[], SavedSession]) -> None:
        self._identity, self._parts, self._snapshot = identity, parts, snapshot
        self._jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._doing: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        self.gone_because: EndedElsewhere | None = None

    def lose(self, cause: EndedElsewhere) -> None:
        """The session is not ours any more."""
        if not self.gone.is_set():
            self.gone_because = cause
            self.gone.set()

    def item_done(self, item: Item) -> None:
        """An item is complete: append it where it is the last, else write everything."""
        saved = self._snapshot()
        if saved.items and saved.items[-1]["id"] == item.id:
            self._jobs.put_nowait(lambda: self._append(saved))
        else:
            self._jobs.put_nowait(lambda: self._save(saved))

    def changed(self) -> None:
        """The session began, items were deleted or cut, or settings changed."""
        saved = self._snapshot()
        self._jobs.put_nowait(lambda: self._save(saved))

    def turn(self, facts: TurnFacts) -> None:
        """A response ended."""
        self._jobs.put_nowait(lambda: self._parts.records.turn(facts))

    def session(self, facts: SessionFacts) -> None:
        """The session began or ended."""
        self._jobs.put_nowait(lambda: self._parts.records.session(facts))

    async def run(self) -> None:
        """Until cancelled; what is being written then goes on, and `drain` waits for it."""
        while True:
            self._doing = asyncio.create_task(self._finish(await self._jobs.get()))
            await asyncio.shield(self._doing)

    async def drain(self) -> None:
        """What is still to be written, for a bounded time; for the end of a session."""
        async with asyncio.timeout(DRAIN_S):
            if self._doing:
                await self._doing
            while not self._jobs.empty():
                await self._finish(self._jobs.get_nowait())

    async def _append(self, saved: SavedSession) -> None:
        if not self.gone.is_set() and not await self._parts.conversations.append(self._identity, saved.items[-1], saved.sequence):
            await self._save(saved)  # it lapsed while nobody said anything

    async def _save(self, saved: SavedSession) -> None:
        if not self.gone.is_set():
            await self._parts.conversations.save(self._identity, saved)

    async def _finish(self, job: Callable[[], Awaitable[None]]) -> None:
        while not await self._done(job):
            await asyncio.sleep(RETRY_PAUSE_S)

    async def _done(self, job: Callable[[], Awaitable[None]]) -> bool:
        try:
            await job()
        except StoreUnavailable:
            return False
        except SessionGone as gone:
            self.lose(gone.cause)
        return True
