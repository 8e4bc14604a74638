"""Admission finds whose session a socket opens, and says what cannot be done while Redis is away."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import RateLimit
from a2serve.gateway import request_context
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.client_secrets import Grant
from a2serve.gateway.access.limits import Lease
from a2serve.gateway.access.watch import Watch
from a2serve.gateway.realtime.connection.admission import SocketAdmission, SocketAllowance
from a2serve.gateway.realtime.session.collaborators import Identity
from a2serve.gateway.state.saved_session import Owner
from a2serve.gateway.state.store import SessionHead
from a2serve.gateway.tenants import Limits

IDENTITY = Identity("sess_1", "acme", holder="socket_1")
KEY = Principal("acme", "k1", "api_key", Limits())


def with_secret(*, single_use: bool = False, end_user_id: str = "") -> Principal:
    grant = Grant(
        id="cs_1",
        tenant="acme",
        key_id="k1",
        config={},
        origin=None,
        end_user_id=end_user_id,
        max_sessions=3,
        single_use=single_use,
        expires_at=1 << 40,
    )
    return Principal("acme", "k1", "client_secret", Limits(), grant)


@dataclass
class World:
    """Redis as far as admission asks it. `away`: it does not answer."""

    away: bool = False
    counted: list[Principal] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    owner: Owner = field(default_factory=lambda: Owner("k1"))

    async def of_socket(self, headers: Any, subprotocols: Any) -> Principal:
        return KEY

    async def count(self, caller: Principal) -> None:
        self._reach()
        self.counted.append(caller)

    async def requests_left(self, tenant: str, limits: Limits) -> RateLimit:
        self._reach()
        return RateLimit(name="requests", limit=2, remaining=1, reset_seconds=1.0)

    @asynccontextmanager
    async def session(self, tenant: str, limits: Limits, lease: Lease):
        self._reach()
        self.leases.append(lease)
        yield
        self.leases.remove(lease)

    async def use_once(self, tenant: str, grant_id: str, session_id: str, seconds: int) -> None:
        self.used.append(session_id)

    async def head(self, tenant: str, session_id: str) -> SessionHead | None:
        self._reach()
        made = SessionHead(session_id=session_id, config={}, key_id=self.owner.key_id, grant_id=self.owner.grant_id)
        return made.model_copy(update={"end_user_id": self.owner.end_user_id}) if session_id == "sess_1" else None

    def _reach(self) -> None:
        if self.away:
            raise RedisConnectionError

    def admission(self, check_open: Any = lambda: None) -> SocketAdmission:
        world: Any = self
        return SocketAdmission(world, world, world, Watch(world, world, close_expired=False), check_open)


@dataclass
class Socket:
    """A socket that asks to be let in."""

    headers: dict[str, str] = field(default_factory=dict)
    scope: dict[str, Any] = field(default_factory=dict)


def admitted(world: World, caller: Principal, identity: Identity = IDENTITY, *, resumed: bool = False) -> tuple[Owner, list[Lease]]:
    """The owner, and the leases while the socket is open."""

    async def scene() -> tuple[Owner, list[Lease]]:
        async with request_context.begin(None).at_end:
            owner = await world.admission().admit(caller, identity, resumed=resumed)
            return owner, list(world.leases)

    return asyncio.run(scene())


def refusal(work: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        asyncio.run(work)
    return caught.value


def test_who_is_let_in_is_counted_and_known_to_log_lines():
    async def scene() -> None:
        world, context = World(), request_context.begin(None)
        assert await world.admission().authorize(Socket()) == KEY  # type: ignore[arg-type]
        assert (world.counted, context.tenant, context.key_id) == ([KEY], "acme", "k1")

    asyncio.run(scene())


def test_a_replica_that_drains_asks_nobody():
    def closed() -> None:
        raise Problem(Code.DRAINING, "stopping")

    world = World(away=True)
    assert refusal(world.admission(closed).authorize(Socket())).code == Code.DRAINING  # type: ignore[arg-type]


def test_without_redis_it_says_what_cannot_be_done():
    admission = World(away=True).admission()
    keys = refusal(admission.authorize(Socket()))  # type: ignore[arg-type]
    sessions = refusal(admission.admit(KEY, IDENTITY, resumed=False))
    assert (keys.code, sessions.code) == (Code.STATE_UNAVAILABLE, Code.STATE_UNAVAILABLE)
    assert ("keys" in keys.detail, "sessions" in sessions.detail, keys.retry_after_ms) == (True, True, 2000)


def test_a_new_session_is_its_callers_and_is_live_until_the_socket_closes():
    world = World()
    owner, open_then = admitted(world, with_secret(end_user_id="u1"))
    assert owner == Owner("k1", "cs_1", "u1")
    assert open_then == [Lease("sess_1", "socket_1", "cs_1", 3)] and world.leases == []


def test_a_resumed_session_stays_its_owners():
    assert admitted(World(owner=Owner("k0", "cs_0")), KEY, resumed=True)[0] == Owner("k0", "cs_0", "")
    assert admitted(World(owner=Owner("k1", "cs_1")), with_secret(), resumed=True)[0] == Owner("k1", "cs_1", "")


@pytest.mark.parametrize(("session_id", "owner"), [("sess_1", Owner("k1", "cs_other")), ("sess_none", Owner("k1", "cs_1"))])
def test_what_is_not_the_callers_is_not_there(session_id: str, owner: Owner):
    world, identity = World(owner=owner), Identity(session_id, "acme", holder="socket_1")
    found = refusal(world.admission().admit(with_secret(), identity, resumed=True))
    assert (found.code, found.param, world.leases) == (Code.NOT_FOUND, "resume", [])


def test_a_secret_for_one_session_is_used_by_it():
    for single_use, used in ((True, ["sess_1"]), (False, [])):
        world = World()
        admitted(world, with_secret(single_use=single_use))
        assert world.used == used


def test_responses_are_counted_while_redis_is_there_and_go_on_without():
    async def scene() -> None:
        world = World()
        allowance = SocketAllowance(world, KEY)  # type: ignore[arg-type]
        await allowance.take()
        assert world.counted == [KEY] and [limit.remaining for limit in await allowance.left()] == [1]
        world.away = True
        await allowance.take()
        assert await allowance.left() == []

    asyncio.run(scene())
