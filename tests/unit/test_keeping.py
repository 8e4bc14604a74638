"""The keeper writes behind the session's back: in order, again while the store is away, and no more once the session is gone."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2llm.messages import Timings, Usage
from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.realtime.session import keeping
from a2serve.gateway.realtime.session.collaborators import Collaborators, Identity
from a2serve.gateway.realtime.session.keeping import Keeper
from a2serve.gateway.state.facts import SessionFacts, TurnFacts
from a2serve.gateway.state.saved_session import Change, Checkpoint, SavedSession, SessionGone

IDENTITY = Identity("sess_1", "acme", holder="socket_1")


@dataclass
class Store:
    """Conversations and records that tell what was written, and fail as often as they are told to."""

    written: list[str] = field(default_factory=list)
    spooled: list[str] = field(default_factory=list)
    failures: int = 0
    gone: bool = False
    lapsed: bool = False

    def _reach(self, what: str) -> None:
        if self.failures:
            self.failures -= 1
            raise RedisConnectionError
        self.written.append(what)

    async def save(self, identity: Identity, saved: SavedSession, checkpoint: Checkpoint | None) -> None:
        self._reach("save " + " ".join(item["id"] for item in saved.items))

    async def append(self, identity: Identity, change: Change) -> bool:
        if self.gone:
            raise SessionGone("deleted")
        self._reach("append " + " ".join(("-" if "removed" in entry else "") + entry["id"] for entry in change.entries))
        lapsed, self.lapsed = self.lapsed, False
        return not lapsed

    async def leave(self, identity: Identity) -> None:
        self._reach("leave")

    async def write(self, facts: TurnFacts | SessionFacts) -> None:
        self._reach(facts.response_id if isinstance(facts, TurnFacts) else facts.event)

    def spool(self, *what: Any) -> bool:
        self.spooled.append(type(what[-1]).__name__)
        return True


@dataclass
class Session:
    """Items that the keeper asks for when it writes."""

    items: list[Item] = field(default_factory=list)
    speaks: bool = False

    def add(self, keeper: Keeper, name: str) -> None:
        self.items.append(Item(name, role="user", status="completed"))
        keeper.item_done(self.items[-1])

    def saved(self) -> SavedSession:
        return SavedSession({}, [{"id": item.id} for item in self.items])

    def checkpoint(self) -> Checkpoint:
        return Checkpoint()

    def change(self, make: Callable[[list[Item]], list[Any]], *, settings: bool) -> Change:
        return Change(make(self.items), 0, {} if settings else None, len(self.items))


def turn(name: str) -> TurnFacts:
    return TurnFacts("acme", "sess_1", name, "completed", "", "", Usage(), Timings())


def kept(store: Store, session: Session, *, fresh: bool = False) -> Keeper:
    return Keeper(IDENTITY, Collaborators(None, store, store), session, stored_items=0, fresh=fresh)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "RETRY_PAUSE_S", 0.001)
    monkeypatch.setattr(keeping, "DRAIN_S", 0.05)


def test_a_new_session_is_saved_whole_and_then_appended_to():
    async def scene() -> None:
        store, session = Store(), Session()
        keeper = kept(store, session, fresh=True)
        session.add(keeper, "i1")
        await keeper.drain()
        session.add(keeper, "i2")
        keeper.removed("i1")
        await keeper.drain()
        assert store.written == ["save i1", "leave", "append -i1 i2", "leave"]

    asyncio.run(scene())


def test_records_go_first_and_in_order():
    async def scene() -> None:
        store, session = Store(), Session()
        keeper = kept(store, session)
        session.add(keeper, "i1")
        for name in ("r1", "r2"):
            keeper.turn(turn(name))
        keeper.session(SessionFacts("acme", "sess_1", "closed"))
        await keeper.drain()
        assert store.written == ["r1", "r2", "closed", "append i1", "leave"]

    asyncio.run(scene())


def test_what_failed_is_written_again_with_what_came_meanwhile():
    async def scene() -> None:
        store, session = Store(failures=3), Session()
        keeper = kept(store, session)
        session.add(keeper, "i1")
        running = asyncio.create_task(keeper.run())
        await asyncio.sleep(0)
        session.add(keeper, "i2")
        async with asyncio.timeout(5):
            while not store.written:
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.wait([running])
        await keeper.drain()
        assert store.written == ["append i1 i2", "leave"] and store.spooled == []

    asyncio.run(scene())


def test_what_lapsed_is_saved_whole():
    async def scene() -> None:
        store, session = Store(lapsed=True), Session()
        keeper = kept(store, session)
        session.add(keeper, "i1")
        await keeper.drain()
        assert store.written == ["append i1", "save i1", "leave"]

    asyncio.run(scene())


def test_a_store_that_stays_away_leaves_all_of_it_to_the_spool():
    async def scene() -> None:
        store, session = Store(failures=10**9), Session()
        keeper = kept(store, session)
        session.add(keeper, "i1")
        keeper.turn(turn("r1"))
        await keeper.drain()
        assert (store.written, store.spooled) == ([], ["TurnFacts", "Change"])

    asyncio.run(scene())


def test_once_the_session_is_gone_only_records_are_written():
    async def scene() -> None:
        store, session = Store(gone=True), Session()
        keeper = kept(store, session)
        session.add(keeper, "i1")
        await keeper.drain()
        assert keeper.gone.is_set() and keeper.gone_because == "deleted"
        session.add(keeper, "i2")
        keeper.turn(turn("r1"))
        await keeper.drain()
        assert store.written == ["leave", "r1", "leave"]
        keeper.lose("taken_over")
        assert keeper.gone_because == "deleted", "the first cause stays"

    asyncio.run(scene())
