"""One turn of a session without a socket, for REST: the same `Session`, fed with a few client events and read to the end
of its response. The conversation is kept when the response came to something, so that a refused turn can be sent again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from redis.exceptions import RedisError

from a2llm.messages import ModelInfo
from a2serve.contracts.a2_events import MotionDelta
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.records import RecordBase
from a2serve.contracts.server_events import AudioDelta, ErrorEvent, OutputItemAdded, ResponseDone, ServerEventBase
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.gateway.realtime.session.collaborators import Collaborators, Conversations, Identity
from a2serve.gateway.realtime.session.session import Session
from a2serve.gateway.realtime.transport.transport import Disconnected, Incoming, Outgoing, Packed
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Change, Checkpoint, SavedSession, SessionGone

QUEUE_EVENTS = 256
VALUE_BYTES = 32  # of a number in a list of Python's
log = logging.getLogger(__name__)


class HeadlessTurn:
    """One turn without a socket. `events()` yields what a socket would have sent, up to `response.done`."""

    def __init__(
        self, identity: Identity, config: SessionConfig, saved: SavedSession, parts: Collaborators, info: ModelInfo | None
    ) -> None:
        self._identity, self._saved, self._store = identity, saved, parts.conversations
        self._transport, held = _TurnTransport(), _Held(parts.conversations)
        quiet = replace(parts, inference=_StayingInference(parts.inference), conversations=held, records=_TurnsOnly(parts), refused=_untold)
        self._session = Session(identity, config, self._transport, quiet, info=info, saved=replace(saved, lost=[]))

    async def run(self, asked: Sequence[Incoming], timeout_s: float) -> None:
        """Runs to the end of the response, or until `leave`, and keeps the conversation. Never raises for what happens within.

        If it is cancelled, because the gateway stops, the reader gets an error.
        """
        self._transport.ask(asked)
        try:
            async with asyncio.timeout(timeout_s):
                await self._session.run()
        except TimeoutError:
            self._transport.fail(Problem(Code.TIMEOUT, f"the turn took longer than {timeout_s:g} s"))
        except asyncio.CancelledError:
            self._transport.fail(Problem(Code.DRAINING, "this replica stops; what was sent is kept"))
            raise
        except Exception:
            log.exception("a turn failed")
            self._transport.fail(Problem(Code.INTERNAL, "this is our fault; quote the request_id"))
        finally:
            try:
                await self._keep()
            finally:  # else the reader of its events would wait for ever
                self._transport.end()

    async def events(self) -> AsyncIterator[ServerEventBase]:
        """The events until the turn is over. Problems of the turn come as `error` events, as on the socket."""
        while (event := await self._transport.events.get()) is not None:
            yield event

    def leave(self) -> None:
        """Cancels the response, because nobody listens any more; what was sent of it is kept."""
        self._transport.leave()

    async def _keep(self) -> None:
        core = self._session.core
        try:
            if core and self._transport.answered:
                await self._store.save(self._identity, replace(core.saved(), config=self._saved.config), None)
        except RedisError:
            self._transport.fail(Problem(Code.STATE_UNAVAILABLE, "the turn was answered, but could not be kept"))
        except SessionGone as gone:
            how = "deleted" if gone.cause == "deleted" else "taken over by a socket"
            self._transport.fail(Problem(Code.SESSION_EXPIRED, f"the session was {how} during the turn, which is not kept"))
        with suppress(RedisError):
            await self._store.leave(self._identity)


def _untold(problem: Problem) -> None:
    """The route tells of it."""


class _TurnTransport:
    """A connection whose client asks once and leaves after the response. Events stay objects: nothing is serialised."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[ServerEventBase | None] = asyncio.Queue(QUEUE_EVENTS)
        self.answered = False  # something of the answer was sent
        self._asked: deque[Incoming] = deque()
        self._left = asyncio.Event()

    def ask(self, events: Sequence[Incoming]) -> None:
        self._asked.extend(events)

    async def receive(self) -> Incoming:
        if self._asked and not self._left.is_set():
            return self._asked.popleft()
        await self._left.wait()
        raise Disconnected

    def pack(self, event: Outgoing) -> Packed:
        return Packed(event, media_bytes(event))

    async def send(self, packed: Packed) -> None:
        if self._left.is_set():
            return
        await self.events.put(packed.content)  # waits for the reader; the session finds out when that takes too long
        self._note(packed.content)

    def leave(self) -> None:
        self._left.set()

    def fail(self, problem: Problem) -> None:
        self._force(problem.as_event())

    def end(self) -> None:
        self._force(None)

    def _note(self, event: ServerEventBase) -> None:
        match event:
            case OutputItemAdded():
                self.answered = True
            case ResponseDone():
                self.answered = self.answered or event.response.status != "failed"
                self._left.set()
            case ErrorEvent():
                self._left.set()
            case _:
                pass

    def _force(self, event: ServerEventBase | None) -> None:
        """The end comes through even where the reader is slow."""
        while self.events.full():
            self.events.get_nowait()
        self.events.put_nowait(event)


def media_bytes(event: Outgoing) -> int:
    """Size of the sound or motion in an event."""
    match event:
        case AudioDelta():
            return len(event.delta)
        case MotionDelta():
            return len(event.values) if isinstance(event.values, bytes) else VALUE_BYTES * sum(map(len, event.values))
        case _:
            return 0


class _Held:
    """`Conversations` that holds back what the turn adds, and writes it as a whole at its end. Checkpoints go through, with it."""

    def __init__(self, store: Conversations) -> None:
        self._store, self._entries = store, list[dict[str, Any]]()

    async def claim(self, identity: Identity) -> SavedSession | None:
        return None

    async def save(self, identity: Identity, saved: SavedSession, checkpoint: Checkpoint | None) -> None: ...

    async def append(self, identity: Identity, change: Change) -> bool:
        self._entries += change.entries
        if change.checkpoint and change.checkpoint.lost:  # before it is answered, nothing happened
            entries = [*self._entries, *change.checkpoint.entries]
            checkpoint = replace(change.checkpoint, entries=entries)
            with suppress(SessionGone):  # told at the end
                await self._store.append(identity, Change([], change.sequence, checkpoint=checkpoint))
        return True

    async def leave(self, identity: Identity) -> None: ...

    def spool(self, identity: Identity, written: SavedSession | Change) -> bool:
        return True

    def check_capacity(self, tenant: str, *, session: bool) -> None:
        self._store.check_capacity(tenant, session=session)


class _TurnsOnly:
    """`Records`: a session is created once, not opened with every turn."""

    def __init__(self, parts: Collaborators) -> None:
        self._records = parts.records

    async def write(self, facts: TurnFacts | SessionFacts) -> None:
        if isinstance(facts, TurnFacts):
            await self._records.write(facts)

    def spool(self, facts: TurnFacts | SessionFacts) -> bool:
        return isinstance(facts, SessionFacts) or self._records.spool(facts)

    def of_turn(self, facts: TurnFacts) -> list[RecordBase]:
        return self._records.of_turn(facts)

    def of_session(self, facts: SessionFacts) -> list[RecordBase]:
        return []


class _StayingInference:
    """Inference that keeps the session's cache for its next turn."""

    def __init__(self, inner: InferenceClient) -> None:
        self.describe, self.respond, self.listen, self.idle = inner.describe, inner.respond, inner.listen, inner.idle

    async def release(self, session_id: str) -> None: ...
