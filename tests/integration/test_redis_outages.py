"""Redis goes away and comes back: once it answers again, no customer sees an error of its pooled connections."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import websockets
from redis import Redis
from redis.cluster import key_slot
from redis.exceptions import AuthenticationError, RedisError
from starlette.responses import Response
from support.certificates import Authority
from support.servers.gateway import WAIT_S, GatewayStand, eventually, free_port, gateway_standing, process, run
from support.servers.redis import SERVERS, cluster_standing, kill_all_connections, ready, sentinels_standing, server_command

from a2serve.contracts.problems import Problem
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.rest import turns
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.state import redis_client, redis_keys
from a2serve.gateway.state.idempotency import Idempotency
from a2serve.gateway.state.stored import Stored
from a2serve.gateway.tenants import Limits

REQUESTS, AT_ONCE = 240, 60


async def burst(made: GatewayStand, count: int = REQUESTS) -> Counter[int]:
    """Statuses of so many requests, AT_ONCE at a time; each of them asks Redis several times."""
    async with made.client() as client:
        statuses: Counter[int] = Counter()
        for _ in range(count // AT_ONCE):
            responses = await asyncio.gather(*(client.get("/v1/personas") for _ in range(AT_ONCE)))
            statuses.update(response.status_code for response in responses)
    return statuses


def _without_rate_limit(folder: Path) -> None:
    (folder / "tenants.toml").write_text("[tenants.acme]\nrequests_per_minute = 1000000\nburst_requests = 100000\n")


@pytest.mark.parametrize("server", SERVERS)
def test_a_restart_costs_no_request_once_redis_is_back(server: str, tmp_path: Path) -> None:
    port, redis = free_port(), ExitStack()
    command = server_command(server, port, tmp_path)
    _without_rate_limit(tmp_path)

    async def within() -> None:
        redis.enter_context(process(command, port, tmp_path / "first.log"))
        async with gateway_standing(tmp_path, port) as made:
            assert await burst(made) == {200: REQUESTS}
            redis.close()  # SIGKILL
            assert await burst(made, AT_ONCE) == {503: AT_ONCE}, "the outage itself"
            redis.enter_context(process(command, port, tmp_path / "second.log"))
            ready(port)
            assert await burst(made) == {200: REQUESTS}

    with redis:
        run(within)


@pytest.mark.parametrize("server", SERVERS)
def test_connections_that_were_ended_cost_no_request(server: str, tmp_path: Path) -> None:
    port = free_port()
    command = server_command(server, port, tmp_path)
    _without_rate_limit(tmp_path)

    async def within() -> None:
        async with gateway_standing(tmp_path, port) as made:
            await burst(made)
            for _ in range(4):
                assert kill_all_connections(port) > 10
                assert await burst(made, AT_ONCE) == {200: AT_ONCE}
            working = asyncio.create_task(burst(made))
            for _ in range(20):  # and in the middle of them
                await asyncio.to_thread(kill_all_connections, port)
                await asyncio.sleep(0.02)
            assert await working == {200: REQUESTS}

    with process(command, port, tmp_path / "redis.log"):
        run(within)


class ResponseLost(redis_client.BoundedRedis):
    """Carries each command out twice, as a connection does that is lost before the first answer came."""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        await super().execute_command(*args, **options)
        return await super().execute_command(*args, **options)


def test_a_claim_that_is_sent_twice_is_its_own(valkey_port: int) -> None:
    async def within() -> None:
        async with redis_client.connect(f"redis://127.0.0.1:{valkey_port}/0") as redis:
            twice = ResponseLost(connection_pool=redis.connection_pool)
            once = Idempotency(twice, Stored(twice, lambda _: Limits()))

            async def work() -> Response:
                return Response("made", 201, media_type="text/plain")

            assert (await once.run("acme", "name", b"POST", work)).body == b"made"
            replayed = await once.run("acme", "name", b"POST", work)
            assert replayed.headers["idempotency-replayed"] == "true"
            with pytest.raises(Problem):
                await once.run("acme", "name", b"other", work)

    run(within)


def test_a_turn_whose_claim_is_sent_twice_has_the_floor(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port) as made:
            twice = ResponseLost(connection_pool=made.parts.redis.connection_pool)
            parts = cast(GatewayParts, SimpleNamespace(redis=twice, settings=made.settings))
            async with AsyncExitStack() as held:
                await turns._take_floor(parts, "acme", "sess_1", held)
                with pytest.raises(Problem):
                    await turns._take_floor(made.parts, "acme", "sess_1", held)
            assert not await made.parts.redis.exists(redis_keys.busy("acme", "sess_1"))

    run(within)


def test_a_failover_by_sentinels_is_followed(tmp_path: Path) -> None:
    async def within() -> None:
        with sentinels_standing(tmp_path) as (sentinels, servers):
            url = "redis://" + ",".join(f"127.0.0.1:{port}" for port in (free_port(), *sentinels))  # the first one is down
            async with redis_client.connect(url, sentinel="mymaster") as redis:
                await redis.set("a", 1)
                await eventually(lambda: redis.wait(1, 1000))  # the replica has it
                primary = (await redis.info("server"))["tcp_port"]
                servers[primary].kill()
                await eventually(lambda: _writes(redis))
                assert await redis.get("a") == b"1"
                assert (await redis.info("server"))["tcp_port"] != primary
                outcomes = await asyncio.gather(*(redis.set(f"k{i}", i) for i in range(REQUESTS)))
                assert all(outcomes)

    run(within)


async def _writes(redis: redis_client.BoundedRedis) -> bool:
    try:
        return bool(await redis.set("b", 1))
    except RedisError:
        return False


def test_a_primary_that_became_a_replica_is_left(tmp_path: Path) -> None:
    """One name that leads to another server now, as managed offers do it: what the old one refuses is written to the new one."""
    one, two = free_port(), free_port()

    async def within() -> None:
        async with redis_client.connect(f"redis://127.0.0.1:{one}/0") as redis:
            await redis.set("a", 1)
            async with redis_client.connect(f"redis://127.0.0.1:{two}/0") as other:
                await other.ping()
                await redis.execute_command("REPLICAOF", "127.0.0.1", two)
                redis.connection_pool.connection_kwargs["port"] = two
                for connection in redis.connection_pool._available_connections:
                    connection.port = two  # the name is looked up for each new connection
                assert await redis.set("b", 2)
                assert await other.get("b") == b"2"
                pipeline = redis.pipeline(transaction=True)
                pipeline.set("c", 3)
                assert await pipeline.execute() == [True]

    with (
        process(server_command("valkey", one, tmp_path), one, tmp_path / "one.log"),
        process(server_command("valkey", two, tmp_path), two, tmp_path / "two.log"),
    ):
        run(within)


def test_a_cluster_serves_sessions_and_outbox(tmp_path: Path) -> None:
    """All keys are in one slot: every transaction and script of the gateway goes through."""
    _without_rate_limit(tmp_path)

    async def within() -> None:
        with cluster_standing(tmp_path) as ports:
            url = "redis://" + ",".join(f"127.0.0.1:{port}" for port in ports)
            async with gateway_standing(tmp_path, ports[0], redis_url=url, redis_cluster=True) as made:
                assert await burst(made, AT_ONCE) == {200: AT_ONCE}
                async with made.client() as client:
                    session_id = (await client.post("/v1/sessions", json={}, headers={"idempotency-key": "one"})).json()["id"]
                    said = {"text": "Hi", "stream": False}
                    response = await client.post(f"/v1/sessions/{session_id}/turns", json=said)
                    assert response.status_code == 200, response.text
                    items = (await client.get(f"/v1/sessions/{session_id}/items")).json()["data"]
                    assert len(items) == 2
                    persona = {"name": "cook", "instructions": "You are a cook."}
                    assert (await client.post("/v1/personas", json=persona)).status_code == 201
                    assert (await client.post("/v1/realtime/client_secrets", json={})).status_code == 200
                    socket = websockets.connect(made.socket_url, additional_headers={"authorization": f"Bearer {made.keys['acme']}"})
                    async with socket as open_socket:
                        created = json.loads(await open_socket.recv())
                        assert created["type"] == "session.created"
                        own = created["session"]["id"]
                        await eventually(lambda: made.parts.redis.exists(redis_keys.session("acme", own)))
                        assert (await client.delete(f"/v1/sessions/{own}")).status_code == 204
                        with pytest.raises(websockets.ConnectionClosed, match="deleted"):  # told by pub/sub
                            while True:
                                await asyncio.wait_for(open_socket.recv(), WAIT_S)
                    assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 204
                    assert (await client.get("/readyz")).json()["redis"] == "ok"
                assert await made.parts.outbox.waiting() > 5
                for port in ports:
                    kill_all_connections(port)
                assert await burst(made) == {200: REQUESTS}

    run(within)


def test_keys_share_one_slot() -> None:
    made = [redis_keys.session("acme", "s"), redis_keys.conversation("globex", "t"), redis_keys.OUTBOX, redis_keys.endings("x")]
    assert len({key_slot(key.encode()) for key in made}) == 1


def test_a_name_and_a_password_from_a_file_that_changes(tmp_path: Path) -> None:
    port, password = free_port(), tmp_path / "password"
    password.write_text("first\n")
    settings = GatewaySettings(redis_url=f"redis://127.0.0.1:{port}/0", redis_username="a2", redis_password_file=password)

    async def within() -> None:
        async with redis_client.connect(settings.redis_url, **settings.redis_options) as redis:
            with Redis(port=port) as operator:
                operator.execute_command("ACL", "SETUSER", "a2", "on", ">first", "~*", "&*", "+@all")
                assert await redis.acl_whoami() == "a2"
                operator.execute_command("ACL", "SETUSER", "a2", "resetpass", ">second")
                operator.execute_command("CLIENT", "KILL", "USER", "a2")
                with pytest.raises(AuthenticationError):
                    await redis.ping()
                password.write_text("second\n")
                assert await redis.acl_whoami() == "a2"
                password.unlink()
                operator.execute_command("CLIENT", "KILL", "USER", "a2")
                with pytest.raises(AuthenticationError, match=r"redis_password_file: .*password cannot be read"):
                    await redis.ping()

    with process(server_command("valkey", port, tmp_path), port, tmp_path / "valkey.log"):
        run(within)


def test_tls_with_an_authority_and_a_certificate_of_our_own(tmp_path: Path) -> None:
    """Redis as the system has it: the package's Valkey is built without TLS."""
    authority = Authority(tmp_path)
    server, client, port = authority.identity("redis"), authority.identity("client"), free_port()
    options = {
        "tls_port": port,
        "tls_cert_file": server.certificate,
        "tls_key_file": server.key,
        "tls_ca_cert_file": authority.certificate,
        "tls_auth_clients": "yes",
    }
    command = server_command("redis", 0, tmp_path, **options)
    tls: dict[str, Any] = {"redis_url": f"rediss://127.0.0.1:{port}/0", "redis_ca_file": authority.certificate}
    own: dict[str, Any] = {"redis_cert_file": client.certificate, "redis_key_file": client.key}

    async def within() -> None:
        for settings, reaches in ((tls | own, True), (tls, False), ({"redis_url": tls["redis_url"]} | own, False)):
            chosen = GatewaySettings(**settings)
            async with redis_client.connect(chosen.redis_url, **chosen.redis_options) as redis:
                if reaches:
                    assert await redis.set("a", 1)
                    continue
                with pytest.raises(RedisError):
                    await redis.ping()

    with process(command, port, tmp_path / "redis.log"):
        run(within)
