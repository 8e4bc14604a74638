"""Writes a session's conversation and records in the background: in order, without delaying it, again when the store is down.

What waits to be written is noted by id, not copied, and goes as one write: an item costs its own size, however many there are.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from redis.exceptions import RedisError

from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.conversation.item_log import Entry, entries, is_long, removal
from a2serve.gateway.realtime.session.collaborators import Collaborators, Identity
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Change, Checkpoint, EndedElsewhere, SavedSession, SessionGone

RETRY_PAUSE_S = 0.5
DRAIN_S = 5.0
SPEAKING_BEAT_S = 0.5  # so much of an answer may be forgotten with its gateway
log = logging.getLogger(__name__)


class SessionState(Protocol):
    """The session, as its keeper asks it when something is to be written."""

    def saved(self) -> SavedSession:
        """State of the whole session."""
        ...

    def checkpoint(self) -> Checkpoint:
        """Checkpoint that holds if nothing more is heard of this gateway."""
        ...

    @property
    def speaks(self) -> bool:
        """Whether a response is in progress."""
        ...

    def change(self, make: Callable[[list[Item]], list[Entry]], *, settings: bool) -> Change:
        """Entries made of its items as they are now; with the settings where those are new."""
        ...


class Keeper:
    """`fresh`: nothing is stored of the session yet. Once it is `gone`, only records are written."""

    def __init__(self, identity: Identity, parts: Collaborators, session: SessionState, *, stored_items: int, fresh: bool) -> None:
        self._identity, self._parts, self._session = identity, parts, session
        self._items: dict[str, None] = {}  # new or changed, in order
        self._removed: list[str] = []
        self._settings, self._whole, self._noted = False, fresh, fresh
        self._log_entries = stored_items
        self._records: deque[TurnFacts | SessionFacts] = deque()
        self._news = asyncio.Event()
        self._doing: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        self.gone_because: EndedElsewhere | None = None

    def lose(self, cause: EndedElsewhere) -> None:
        """The session is not ours any more."""
        if not self.gone.is_set():
            self.gone_because = cause
            self.gone.set()

    def item_done(self, item: Item) -> None:
        """An item is complete, or was changed since."""
        self._items[item.id] = None
        self._note()

    def removed(self, item_id: str) -> None:
        """Notes that an item was deleted."""
        self._items.pop(item_id, None)
        self._removed.append(item_id)
        self._note()

    def changed(self) -> None:
        """Settings changed, or events were sent that the next connection must not number again."""
        self._settings = True
        self._note()

    def beat(self) -> None:
        """Something is to be known at once, should this gateway be lost: a response began."""
        self._note()

    def turn(self, facts: TurnFacts) -> None:
        """Notes that a response ended."""
        self._record(facts)

    def session(self, facts: SessionFacts) -> None:
        """The session began or ended."""
        self._record(facts)

    async def run(self) -> None:
        """Writes until cancelled; what is being written then goes on, and `drain` waits for it. If nothing is new, writes a checkpoint."""
        self._note()
        while True:
            await self._news_or_beat()
            self._doing = asyncio.create_task(self._finish())
            await asyncio.shield(self._doing)

    async def drain(self) -> None:
        """Writes at the session's end what is still to be written, for a bounded time. What cannot be written then is spooled."""
        try:
            async with asyncio.timeout(DRAIN_S):
                if self._doing:
                    await self._doing
                await self._finish()
                await self._parts.conversations.leave(self._identity)
        except (TimeoutError, RedisError):
            self._spool()

    async def _news_or_beat(self) -> None:
        beat_s = SPEAKING_BEAT_S if self._session.speaks else self._parts.limits.lost_after_s / 3
        with suppress(TimeoutError):
            async with asyncio.timeout(beat_s):
                await self._news.wait()
        self._noted = True

    def _spool(self) -> None:
        """Also where all but the leaving was written: that it left is news, too."""
        left = [facts for facts in self._records if not self._parts.records.spool(facts)]
        session, written = self._session, None
        if not self.gone.is_set():
            written = session.saved() if self._whole else self._change(self._items, self._removed, self._settings)
        kept = written is None or self._parts.conversations.spool(self._identity, written)
        level = logging.WARNING if kept and not left else logging.ERROR
        log.log(level, "the store did not answer at the end of a session", extra={"records_lost": len(left), "items_lost": not kept})

    def _record(self, facts: TurnFacts | SessionFacts) -> None:
        self._records.append(facts)
        self._news.set()

    def _note(self) -> None:
        self._noted = True
        self._news.set()

    async def _finish(self) -> None:
        """Writes until nothing is left."""
        while self._records or self._noted:
            self._news.clear()
            try:
                await self._write_records()
                await self._write()
            except RedisError:
                await asyncio.sleep(RETRY_PAUSE_S)
            except SessionGone as gone:
                self.lose(gone.cause)
        self._news.clear()

    async def _write_records(self) -> None:
        """Writes records. One that may have been written is written again: its id shows the copy."""
        while self._records:
            await self._parts.records.write(self._records[0])
            self._records.popleft()

    async def _write(self) -> None:
        if not self._noted:
            return
        items, removed, settings, whole = self._items, self._removed, self._settings, self._whole
        self._items, self._removed, self._settings, self._whole, self._noted = {}, [], False, False, False
        if self.gone.is_set():
            return
        try:
            self._whole |= not await (self._save() if whole else self._append(items, removed, settings))
        except BaseException:
            self._items, self._removed = items | self._items, removed + self._removed
            self._settings, self._whole, self._noted = settings or self._settings, whole or self._whole, True
            raise
        self._noted |= self._whole

    async def _save(self) -> bool:
        saved = self._session.saved()
        self._log_entries = len(saved.items)
        await self._parts.conversations.save(self._identity, saved, self._session.checkpoint())
        return True

    async def _append(self, items: dict[str, None], removed: list[str], settings: bool) -> bool:
        """Appends what is new. False if the session lapsed in silence, or if the log has grown long: then all of it is to be written."""
        change = self._change(items, removed, settings)
        self._log_entries += len(change.entries)
        kept = await self._parts.conversations.append(self._identity, change)
        return kept and not is_long(self._log_entries, change.stored_items)

    def _change(self, items: dict[str, None], removed: list[str], settings: bool) -> Change:
        return self._session.change(lambda now: [*map(removal, removed), *entries(now, items)], settings=settings)
