"""Cases that only a page meets: no Authorization header, answers to an upgrade that it cannot read, GETs without an Origin."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets
from support.servers.gateway import WAIT_S, GatewayStand, gateway_standing, run
from support.servers.realtime import Client

ORIGIN = "https://shop.example"


@pytest.fixture
def stand(valkey_port: int, tmp_path: Path) -> Callable[..., None]:
    def go(test: Callable[[GatewayStand], Awaitable[None]]) -> None:
        async def within() -> None:
            async with gateway_standing(tmp_path, valkey_port) as made:
                await test(made)

        run(within)

    return go


async def secret_of(made: GatewayStand, origin: str | None = None) -> str:
    async with made.client() as rest:
        return (await rest.post("/v1/realtime/client_secrets", json={"a2": {"origin": origin}})).json()["value"]


async def refused(made: GatewayStand, secret: str, query: str = "") -> tuple[dict[str, Any], int]:
    protocols = [websockets.Subprotocol("realtime"), websockets.Subprotocol(f"a2-client-secret.{secret}")]
    async with websockets.connect(made.socket_url + query, subprotocols=protocols, open_timeout=WAIT_S) as socket:
        error = (await Client(socket).until("error"))["error"]
        await asyncio.wait_for(socket.wait_closed(), WAIT_S)
        return error, socket.close_code or 0


def test_a_page_is_told_on_the_socket_that_it_is_full_or_that_its_session_is_gone(stand) -> None:
    async def test(made: GatewayStand) -> None:
        secret = await secret_of(made)
        error, close_code = await refused(made, secret, "&resume=sess_nobody")
        assert (error["code"], close_code) == ("not_found", 1008)
        text = made.settings.tenants_file.read_text().replace("max_sessions = 20", "max_sessions = 1", 1)
        made.settings.tenants_file.write_text(text)
        headers = {"authorization": f"Bearer {made.keys['acme']}"}
        async with websockets.connect(made.socket_url, additional_headers=headers, open_timeout=WAIT_S) as socket:
            await Client(socket).until("session.created")
            error, close_code = await refused(made, secret)
            assert (error["code"], close_code) == ("too_many_sessions", 1013)

    stand(test)


def test_a_get_of_the_page_s_own_origin_counts_as_that_origin(stand) -> None:
    async def test(made: GatewayStand) -> None:
        own, foreign = await secret_of(made, made.url), await secret_of(made, ORIGIN)
        async with made.client(key=own) as rest:
            assert (await rest.get("/v1/avatars", headers={"sec-fetch-site": "same-origin"})).status_code == 200
            assert (await rest.get("/v1/avatars", headers={"sec-fetch-site": "cross-site"})).status_code == 403
            assert (await rest.get("/v1/avatars")).status_code == 403
        async with made.client(key=foreign) as rest:
            assert (await rest.get("/v1/avatars", headers={"sec-fetch-site": "same-origin"})).status_code == 403
            assert (await rest.get("/v1/avatars", headers={"origin": ORIGIN})).status_code == 200

    stand(test)
