"""Any JSON in any field: no response is a 5xx and no socket dies, for every body of REST and every event of the socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from support.any_json import NASTY, Body, anything, around, bodies, events, places, written
from support.servers.gateway import GatewayStand, gateway_standing, run
from support.servers.realtime import Script

from a2serve.contracts.events import CLIENT_EVENTS

RESPONSE_S = 60
AT_ONCE = 8
JSON = {"content-type": "application/json"}


@pytest.fixture
def stand(valkey_port: int, tmp_path: Path) -> Callable[[Callable[[GatewayStand], Awaitable[None]]], None]:
    """A gateway that does not count requests."""

    def go(test: Callable[[GatewayStand], Awaitable[None]]) -> None:
        async def within() -> None:
            async with gateway_standing(tmp_path, valkey_port, Script(packets=1)) as made:
                file = made.settings.tenants_file
                file.write_text(file.read_text().replace("burst_requests = 60", "burst_requests = 1000000"))
                await test(made)

        run(within)

    return go


@asynccontextmanager
async def socket_of(made: GatewayStand, secret: str = "") -> AsyncIterator[websockets.ClientConnection]:
    headers = {"authorization": f"Bearer {secret or made.keys['acme']}"}
    async with websockets.connect(made.socket_url, additional_headers=headers, max_size=None, compression=None) as socket:
        yield socket


async def still_responds(socket: websockets.ClientConnection, mark: str) -> None:
    """The socket says what it does not know, and is open."""
    await socket.send(json.dumps({"type": "conversation.item.retrieve", "item_id": "none", "event_id": mark}))
    async with asyncio.timeout(RESPONSE_S):
        while True:
            event = json.loads(await socket.recv())
            if event["type"] == "error" and event["error"]["event_id"] == mark:
                return
            assert event["type"] != "error" or event["error"]["code"] != "internal_error", event


async def post_all(client: httpx.AsyncClient, made: list[Body], session_id: str) -> list[httpx.Response]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def post(route: str, body: bytes) -> httpx.Response:
        async with limit:
            response = await client.post(route.format(session_id=session_id), content=body, headers=JSON)
        assert response.status_code < 500, (response.status_code, route, body[:300], response.text)
        if response.status_code >= 400:
            assert response.headers["content-type"] == "application/problem+json" and response.json()["request_id"], (route, body[:300])
        return response

    return list(await asyncio.gather(*(post(route, body) for route, body in made)))


def test_nasty_values_in_every_field_of_every_body(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = (await client.post("/v1/sessions", json={})).json()["id"]
            asked = bodies(made.app.openapi(), NASTY)
            responses = await post_all(client, asked, session_id)
            assert len({route for route, _ in asked}) >= 4 and len(asked) > 1500
            done = [(route, response) for (route, _), response in zip(asked, responses, strict=True) if response.status_code < 300]
            created = [response.json()["id"] for route, response in done if route == "/v1/sessions"]
            for kept in created[:: max(1, len(created) // 40)]:
                assert (await client.get(f"/v1/sessions/{kept}")).status_code == 200
            secrets = [response.json()["value"] for route, response in done if route == "/v1/realtime/client_secrets"]
            assert created and secrets, "some values are right"
        for secret in secrets[:: max(1, len(secrets) // 40)]:
            async with socket_of(made, secret) as socket:
                await still_responds(socket, "alive")

    stand(test)


def test_nasty_values_in_every_field_of_every_event(stand) -> None:
    async def test(made: GatewayStand) -> None:
        sent = events(NASTY)
        assert len(sent) > 1500
        for start in range(0, len(sent), 100):
            async with socket_of(made) as socket:
                for number, frame in enumerate(sent[start : start + 100]):
                    await socket.send(frame.decode())
                    if number % 5 == 4:
                        await still_responds(socket, f"after {number}")
                await still_responds(socket, "at the end")
                await asyncio.sleep(0.1)  # what it keeps is written behind its back
                await still_responds(socket, "kept")

    stand(test)


def test_anything_anywhere(stand) -> None:
    async def test(made: GatewayStand) -> None:
        drawn = await asyncio.to_thread(_drawn)
        async with made.client() as client, socket_of(made) as socket:
            session_id = (await client.post("/v1/sessions", json={})).json()["id"]
            asked = bodies(made.app.openapi(), [None])
            schemas = {name: kind.model_json_schema() for name, kind in CLIENT_EVENTS.items()}
            rest, spoken = _scattered(made.app.openapi(), schemas, drawn)
            assert rest and spoken and asked
            await post_all(client, rest, session_id)
            for number, frame in enumerate(spoken):
                await socket.send(frame.decode())
                await still_responds(socket, f"{number} {frame[:200]!r}")

    stand(test)


def test_times_of_usage_that_cannot_be_are_refused(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            beyond = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "-62135596800")
            for moment in (*beyond, "0.5e400", "1e400", "x", "\0"):
                for name in ("start", "end"):
                    response = await client.get("/v1/usage", params={name: moment})
                    assert (response.status_code, response.json()["code"]) == (422, "invalid_value"), (name, moment, response.text)

    stand(test)


def _drawn() -> list[Any]:
    values: list[Any] = []

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(anything)
    def draw(value: Any) -> None:
        values.append(value)

    draw()
    return values


def _scattered(document: dict[str, Any], schemas: dict[str, Any], values: list[Any]) -> tuple[list[Body], list[bytes]]:
    """Every value in one field of a body and in one of an event, so that all fields have their turn."""
    fields = [
        (route, schema, path)
        for route, operations in document["paths"].items()
        if (schema := operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema"))
        for path in places(schema, document)
    ]
    slots = [(name, schema, path) for name, schema in schemas.items() for path in places(schema, schema) if path != ("type",)]
    rest, spoken = list[Body](), list[bytes]()
    for number, value in enumerate(values):
        route, schema, path = fields[(number * 7) % len(fields)]
        rest.append((route, written(around(path, value, schema, document))))
        name, schema, path = slots[(number * 7) % len(slots)]
        spoken.append(written({"type": name} | around(path, value, schema, schema)))
    return rest, spoken
