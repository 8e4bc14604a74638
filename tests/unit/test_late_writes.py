"""Entries of the spool come into Redis as sessions and streams, also where they come too late."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from a2serve.contracts.records import SessionRecord
from a2serve.gateway.state.late_writes import LateWrites
from a2serve.gateway.state.saved_session import Change, Owner, SavedSession, SessionGone, SessionHolder
from a2serve.gateway.state.spool import Spool
from a2serve.gateway.state.store import SessionStore

LEFT = SessionHolder("sess_1", "acme", "socket_1", Owner("k1", "cs_1", "u1"))


class Taken(Spool):
    """A spool that keeps its entries as they come back from the disk."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def put(self, entry: Any) -> bool:
        self.entries.append(orjson.loads(orjson.dumps(entry)))
        return True


@dataclass
class Redis:
    """Writes of a store and of a pipeline, in order. `gone`: the session is another's."""

    calls: list[Any] = field(default_factory=list)
    gone: bool = False

    async def save(self, identity: SessionHolder, saved: SavedSession) -> None:
        self._write("save", identity, saved)

    async def append(self, identity: SessionHolder, change: Change) -> bool:
        self._write("append", identity, change)
        return True

    async def leave(self, identity: SessionHolder) -> None:
        self.calls.append(("leave", identity))

    def pipeline(self, *, transaction: bool) -> "Redis":
        assert transaction, "all or none"
        return self

    def xadd(self, *added: Any) -> None:
        self.calls.append(added)

    async def execute(self) -> None:
        self.calls.append("execute")

    def _write(self, *call: Any) -> None:
        if self.gone:
            raise SessionGone("taken_over")
        self.calls.append(call)

    def register_script(self, text: str) -> None: ...


def delivered(redis: Redis, spool: Taken) -> list[Any]:
    late = LateWrites(redis, redis, spool)  # type: ignore[arg-type]
    for entry in spool.entries:
        asyncio.run(late.deliver(entry))
    return redis.calls


@pytest.mark.parametrize(
    ("written", "call"),
    [
        (SavedSession({"voice": "x"}, [{"id": "i1"}], 7), "save"),
        (Change([{"id": "i2"}], 8, None, 2), "append"),
        (Change([], 9, {"voice": "y"}), "append"),
    ],
)
def test_a_session_comes_back_from_the_spool_as_it_was_written(written: SavedSession | Change, call: str):
    redis, spool = Redis(), Taken()
    store = SessionStore(redis, None, spool, 60)  # type: ignore[arg-type]
    assert store.spool(LEFT, written)
    (name, identity, found), left = delivered(redis, spool)
    assert (name, identity, left) == (call, LEFT, ("leave", LEFT))
    assert (found.config, found.sequence) == (written.config, written.sequence)
    assert (found.items if call == "save" else found.entries) == (written.items if call == "save" else written.entries)  # type: ignore[union-attr]


def test_what_comes_too_late_is_dropped_and_its_holder_leaves():
    redis, spool = Redis(gone=True), Taken()
    SessionStore(redis, None, spool, 60).spool(LEFT, SavedSession({}, []))  # type: ignore[arg-type]
    assert delivered(redis, spool) == [("leave", LEFT)]


def test_records_and_words_go_into_their_streams(tmp_path: Path):
    redis, spool = Redis(), Taken()
    late = LateWrites(redis, redis, spool)  # type: ignore[arg-type]
    record = SessionRecord(tenant="acme", session_id="sess_1", event="opened")
    assert late.records([record]) and late.stream("words", [("", "sess_1", "{}")])
    first, done, second, _ = delivered(redis, spool)
    assert first[0] == "{a2}:outbox" and first[1][b"key"] == "sess_1" and orjson.loads(first[1][b"value"])["event"] == "opened"
    assert done == "execute" and second == ("words", {b"topic": "", b"key": "sess_1", b"value": "{}"})
