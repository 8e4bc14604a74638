"""How a session lives: its named tasks in one TaskGroup, from `session.created` to the reason it ended.

    cause = await Session(identity, config, transport, parts).run()

The socket itself is opened and closed by `connection.socket_route`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from a2llm.messages import ModelInfo
from a2serve.contracts.a2_events import GoAway
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import StatusDetails, StatusError
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.access.watch import Withdrawn
from a2serve.gateway.conversation.conversation import item_from_json
from a2serve.gateway.realtime.response.response import CLIENT_CANCELLED
from a2serve.gateway.realtime.session.assembly import assemble
from a2serve.gateway.realtime.session.checkpoints import closing_facts
from a2serve.gateway.realtime.session.collaborators import CloseCause, Collaborators, Identity
from a2serve.gateway.realtime.session.commands import SessionCommands
from a2serve.gateway.realtime.session.core import SessionCore
from a2serve.gateway.realtime.session.floor import Floor
from a2serve.gateway.realtime.transport.send_queue import SendQueue, SlowReader
from a2serve.gateway.realtime.transport.transport import Disconnected, Transport
from a2serve.gateway.state.facts import SessionFacts
from a2serve.gateway.state.saved_session import EndedElsewhere, SavedSession

TICK_S = 0.05
LAST_EVENTS_S = 2.0  # for the client to take the last events: a client that reads too slowly goes without
RELEASE_S = 2.0
_GONE: dict[EndedElsewhere, str] = {
    "deleted": "the session was deleted",
    "taken_over": "another connection or turn goes on with this session",
}
_WITHDRAWN: dict[Withdrawn, str] = {
    "revoked": "the key or the client secret that opened this socket was revoked",
    "expired": "the client secret that opened this socket has expired",
}
log = logging.getLogger(__name__)


class SessionOver(Exception):
    """Ends the TaskGroup from within."""

    def __init__(self, cause: CloseCause) -> None:
        super().__init__(cause)
        self.cause: CloseCause = cause


class Session:
    """One client, open to close. `saved` continues an earlier one; `info` is what the model said of itself."""

    def __init__(
        self,
        identity: Identity,
        config: SessionConfig,
        transport: Transport,
        parts: Collaborators,
        *,
        info: ModelInfo | None = None,
        saved: SavedSession | None = None,
    ) -> None:
        self.identity, self._config, self._transport, self._parts, self._info = identity, config, transport, parts, info
        self._items, self._fresh = [item_from_json(body) for body in saved.items] if saved else [], saved is None
        self._lost = saved.lost if saved else ()
        self._out = SendQueue(transport, identity.session_id, parts.limits, saved.sequence if saved else 0)
        self._drain = asyncio.Event()
        self._withdrawn: asyncio.Queue[Withdrawn] = asyncio.Queue()
        self.core: SessionCore | None = None
        self.floor: Floor | None = None

    async def run(self) -> CloseCause:
        """Runs until the client leaves, a limit is reached, the replica drains or the session is gone; returns why.

        Releases what it held.
        """
        cause: CloseCause = "internal_error"
        try:
            async with asyncio.TaskGroup() as tasks:
                self._begin(tasks)
        except* SessionOver as group:
            cause = _cause(group)
        except* (Disconnected, SlowReader) as group:
            cause = "slow_reader" if group.subgroup(SlowReader) else "client_left"
        finally:
            await self._end(cause)
        return cause

    def drain(self) -> None:
        """Prepares for the replica's end: the client is warned and may leave in time."""
        self._drain.set()

    def end(self, cause: EndedElsewhere) -> None:
        """It was deleted, or goes on elsewhere: closes now, and keeps nothing more."""
        if self.core:
            self.core.keeper.lose(cause)

    def withdraw(self, cause: Withdrawn) -> None:
        """Closes the socket now, because its client may not use it any more; the session stays."""
        self._withdrawn.put_nowait(cause)

    def _begin(self, tasks: asyncio.TaskGroup) -> None:
        core = SessionCore(
            self.identity,
            self._config,
            self._parts,
            self._out,
            tasks,
            info=self._info,
            items=self._items,
            fresh=self._fresh,
            lost=self._lost,
        )
        parts = assemble(core)
        self.core, self.floor = core, parts.floor
        opened = SessionFacts(self.identity.tenant, self.identity.session_id, "opened", holder=self.identity.holder, fresh=self._fresh)
        core.keeper.session(opened)
        jobs: dict[str, Callable[[], Awaitable[None]]] = {
            "read": lambda: self._read(parts.commands),
            "write": self._out.run,
            "tick": lambda: self._tick(parts.floor),
            "ears": lambda: parts.ears.run(parts.audio.take_words),
            "face": lambda: parts.face.run(lambda: parts.floor.phase),
            "keep": core.keeper.run,
            "limit": self._limit,
            "gone": self._watch_gone,
            "withdrawn": self._watch_withdrawn,
        }
        for name, job in jobs.items():
            tasks.create_task(_run(job), name=f"{name} {self.identity.session_id}")

    async def _read(self, commands: SessionCommands) -> None:
        """Reads event by event; reads nothing while the client does not take what is sent to it (backpressure)."""
        await commands.greet()
        while True:
            await self._out.space()
            try:
                event = await self._transport.receive()
            except Problem as problem:
                commands.refuse(problem)
            else:
                await commands.take(event)
            await asyncio.sleep(0)

    async def _tick(self, floor: Floor) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            floor.tick()

    async def _limit(self) -> None:
        limits = self._parts.limits
        cause: CloseCause = "drain"
        try:
            async with asyncio.timeout((limits.max_session_ms - limits.go_away_ms) / 1000):
                await self._drain.wait()
        except TimeoutError:
            cause = "session_limit"
        self._say_go_away(cause, limits.go_away_ms)
        await asyncio.sleep(limits.go_away_ms / 1000)
        await self._say_over(cause, "the session has reached its time limit" if cause == "session_limit" else "going away")

    async def _watch_gone(self) -> None:
        assert self.core
        keeper = self.core.keeper
        await keeper.gone.wait()
        assert keeper.gone_because
        await self._say_over(keeper.gone_because, _GONE[keeper.gone_because])

    async def _watch_withdrawn(self) -> None:
        cause = await self._withdrawn.get()
        await self._say_over(cause, _WITHDRAWN[cause], Code.UNAUTHORIZED)

    async def _say_over(self, cause: CloseCause, detail: str, code: Code = Code.SESSION_EXPIRED) -> None:
        """Ends what is in progress, sends the reason, then ends the session."""
        assert self.core and self.floor
        problem = Problem(code, detail)
        error = StatusError(type=problem.meaning.kind, code=code, message=detail)
        self.core.close()
        self.floor.close(StatusDetails(type="incomplete", error=error))
        self.core.error(problem)
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_EVENTS_S):
                await self._out.all_sent()
        raise SessionOver(cause)

    def _say_go_away(self, cause: CloseCause, time_left_ms: int) -> None:
        if self.core and self.core.opted_in:
            reason = "session_limit" if cause == "session_limit" else "drain"
            self._out.send(GoAway(reason=reason, time_left_ms=time_left_ms, resume_handle=self.identity.session_id))

    async def _end(self, cause: CloseCause) -> None:
        core, floor = self.core, self.floor
        if core is None or floor is None:
            return
        core.close()
        floor.close(CLIENT_CANCELLED)
        core.keeper.changed()
        core.keeper.session(closing_facts(core, cause))
        core.trace.end(cause, core.tally.turns)
        try:
            await core.keeper.drain()
            if core.keeper.gone_because == "taken_over":
                return  # its present holder speaks with what is cached there
            async with asyncio.timeout(RELEASE_S):
                await self._parts.inference.release(self.identity.session_id)
        except TimeoutError:
            log.warning("inference did not answer at the end of a session")
        except Problem as problem:
            log.info("release of a session: %s", problem)


async def _run(job: Callable[[], Awaitable[None]]) -> None:
    await job()


def _cause(group: BaseExceptionGroup[SessionOver]) -> CloseCause:
    first = group.exceptions[0]
    return first.cause if isinstance(first, SessionOver) else _cause(first)
