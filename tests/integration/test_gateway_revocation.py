"""Revoked access ends within seconds, on whatever gateway: keys, client secrets, expiry. Real Valkey, two gateways."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import websockets
from support.secrets.sockets import answered, opened, refused, session_of
from support.servers.gateway import GatewayStand, eventually, gateway_standing, run
from support.servers.realtime import Client

from a2serve.gateway.tenants import revoke_key

NOTICED_S = 5.0


@pytest.fixture
def stands(valkey_port: int, tmp_path: Path) -> Callable[..., None]:
    """Two gateways with one tenants file."""

    def go(test: Callable[[GatewayStand, GatewayStand], Awaitable[None]], **settings: Any) -> None:
        async def within() -> None:
            (tmp_path / "other").mkdir()
            async with gateway_standing(tmp_path, valkey_port, **settings) as made:
                file = made.settings.tenants_file
                async with gateway_standing(tmp_path / "other", valkey_port, tenants_file=file, **settings) as other:
                    other.keys = made.keys
                    await test(made, other)

        run(within)

    return go


async def minted(made: GatewayStand, seconds: int = 600, **bound: Any) -> tuple[str, str]:
    async with made.client() as rest:
        response = await rest.post("/v1/realtime/client_secrets", json={"a2": bound, "expires_after": {"seconds": seconds}})
        return response.json()["value"], response.json()["id"]


async def closed(client: Client, since_s: float) -> tuple[str, int, str]:
    """The last event's code and the close; within the time that is promised."""
    code = (await client.until("error"))["error"]["code"]
    with pytest.raises(websockets.ConnectionClosed) as ending:
        while True:
            await client.next()
    assert time.monotonic() - since_s < NOTICED_S
    assert ending.value.rcvd
    return code, ending.value.rcvd.code, ending.value.rcvd.reason


def test_a_revoked_key_closes_what_it_opened_and_what_its_secrets_opened(stands) -> None:
    async def test(made: GatewayStand, other: GatewayStand) -> None:
        key, (secret, _) = made.keys["acme"], await minted(made, max_sessions=2)
        async with AsyncExitStack() as held:
            pairs = [(made, key), (other, key), (made, secret), (other, secret), (made, made.keys["globex"])]
            *clients, stranger = [await held.enter_async_context(opened(gateway, credential)) for gateway, credential in pairs]
            ids = [await session_of(client) for client in (*clients, stranger)]
            await answered(clients[3], "Hi")
            since_s = time.monotonic()
            revoke_key(made.settings.tenants_file, key.split("_")[1])
            for client in clients:
                assert await closed(client, since_s) == ("unauthorized", 1008, "revoked")
            await answered(stranger, "Still here?")
        assert await made.parts.sessions.head("acme", ids[3]), "the session stays"
        for gateway in (made, other):
            assert (await refused(gateway, key))[1:] == (401, "unauthorized")
            assert (await refused(gateway, secret))[1:] == (401, "unauthorized")

    stands(test)


def test_a_revoked_secret_closes_its_sockets_and_no_other(stands) -> None:
    async def test(made: GatewayStand, other: GatewayStand) -> None:
        (secret, secret_id), (kept, _) = await minted(made, max_sessions=2), await minted(made)
        async with opened(made, secret) as a, opened(other, secret) as b, opened(made, kept) as c, made.client() as rest:
            for client in (a, b, c):
                await session_of(client)
            async with made.client("globex") as stranger:
                foreign, never = [await stranger.delete(f"/v1/realtime/client_secrets/{name}") for name in (secret_id, "cs_" + "0" * 64)]
                assert foreign.status_code == never.status_code == 404 and foreign.json()["code"] == never.json()["code"]
            async with made.client(key=secret) as page:
                assert (await page.delete(f"/v1/realtime/client_secrets/{secret_id}")).status_code == 403
            since_s = time.monotonic()
            assert (await rest.delete(f"/v1/realtime/client_secrets/{secret_id}")).status_code == 204
            assert (await refused(other, secret))[1:] == (401, "unauthorized")
            for client in (a, b):
                assert await closed(client, since_s) == ("unauthorized", 1008, "revoked")
            await answered(c, "Still here?")
            await eventually(lambda: len(made.app.state.realtime.sessions) + len(other.app.state.realtime.sessions) == 1)

            async def nothing_left() -> bool:
                return (await rest.delete(f"/v1/realtime/client_secrets/{secret_id}")).status_code == 404

            await eventually(nothing_left)

    stands(test)


def test_a_socket_that_outlives_its_secret_can_be_ended(stands) -> None:
    async def test(made: GatewayStand, _: GatewayStand) -> None:
        secret, secret_id = await minted(made)
        async with opened(made, secret) as client, made.client() as rest:
            await session_of(client)
            await made.parts.redis.delete(*[key async for key in made.parts.redis.scan_iter("*:acme:secret:*")])  # it expired
            await answered(client, "Still here?")
            since_s = time.monotonic()
            assert (await rest.delete(f"/v1/realtime/client_secrets/{secret_id}")).status_code == 204
            assert await closed(client, since_s) == ("unauthorized", 1008, "revoked")

    stands(test)


def test_expiry_closes_sockets_where_that_is_wanted(stands) -> None:
    async def test(made: GatewayStand, _: GatewayStand) -> None:
        secret, _ = await minted(made, seconds=10)
        until_s = time.monotonic() + 10
        async with opened(made, secret) as client, opened(made, made.keys["acme"]) as server:
            await session_of(client)
            await session_of(server)
            assert await closed(client, until_s) == ("unauthorized", 1008, "expired")
            await answered(server, "Still here?")

    stands(test, secret_expiry_closes=True)
