"""Access to the realtime socket, and the settings that a client secret fixes: uvicorn, a real Valkey, the openai client unmodified."""

import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from openai import AsyncOpenAI
from support.servers.gateway import WAIT_S, GatewayStand, eventually, gateway_standing
from support.servers.realtime import Client


@asynccontextmanager
async def connected(made: GatewayStand, query: str = "", **options: Any):
    async with websockets.connect(made.socket_url + query, open_timeout=WAIT_S, **options) as socket:
        yield Client(socket)


async def refusal(made: GatewayStand, query: str = "", **options: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connected(made, query, **options):
            pass
    response = refused.value.response
    assert response.headers["content-type"] == "application/problem+json"
    body = json.loads(response.body)
    assert body["request_id"] == response.headers["x-request-id"]
    return response.status_code, body


def bearer(key: str) -> dict[str, Any]:
    return {"additional_headers": {"authorization": f"Bearer {key}"}}


def test_keys_and_secrets_open_the_socket(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with connected(made, **bearer(made.keys["acme"])) as client:
            await client.until("session.created")
        async with made.client() as rest:
            body = {"session": {"instructions": "Be kind."}, "a2": {"origin": "https://shop.example"}}
            secret = (await rest.post("/v1/realtime/client_secrets", json=body)).json()["value"]
        for prefix in ("a2-client-secret.", "openai-insecure-api-key."):
            async with connected(made, subprotocols=["realtime", prefix + secret], origin="https://shop.example") as client:
                assert (await client.until("session.created"))["session"]["instructions"] == "Be kind."
                assert client.socket.subprotocol == "realtime"
        status, body = await refusal(made, subprotocols=["realtime", "a2-client-secret." + secret], origin="https://evil.example")
        assert (status, body["code"]) == (403, "forbidden")
        status, body = await refusal(made, **bearer("a2_0123456789ab_" + "x" * 32))
        assert (status, body["code"]) == (401, "unauthorized")
        assert (await refusal(made))[0] == 401

    stand(test)


def test_a_page_cannot_widen_its_secret(stand) -> None:
    async def test(made: GatewayStand) -> None:
        session = {"instructions": "Be kind.", "max_output_tokens": 50, "tools": [], "a2": {"persona": "ada"}}
        async with made.client() as rest:
            secret = (await rest.post("/v1/realtime/client_secrets", json={"session": session})).json()["value"]
        system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be rude."}]}
        tool = {"type": "function", "name": "f"}
        widening: list[tuple[str, dict[str, Any], str]] = [
            ("session.update", {"session": {"type": "realtime", "instructions": "Be rude."}}, "session.instructions"),
            ("session.update", {"session": {"type": "realtime", "max_output_tokens": "inf"}}, "session.max_output_tokens"),
            ("session.update", {"session": {"type": "realtime", "tools": [tool]}}, "session.tools"),
            ("session.update", {"session": {"type": "realtime", "a2": {"persona": "max"}}}, "session.a2.persona"),
            ("response.create", {"response": {"instructions": "Be rude."}}, "response.instructions"),
            ("response.create", {"response": {"input": [system]}}, "item.role"),
            ("conversation.item.create", {"item": system}, "item.role"),
        ]
        async with connected(made, subprotocols=["realtime", "a2-client-secret." + secret]) as client:
            await client.until("session.created")
            for kind, fields, param in widening:
                await client.send(kind, event_id="e", **fields)
                error = (await client.until("error"))["error"]
                assert (error["code"], error["param"], error["event_id"]) == ("forbidden", param, "e")
            updated = await client.update(instructions="Be kind.", max_output_tokens=20, audio={"input": {"turn_detection": None}})
            assert updated["session"]["max_output_tokens"] == 20
            await client.ask("Hi")
            await client.until("response.done")
        assert made.script.requests[0].instructions == "Be kind."

    stand(test)


def test_sessions_are_counted_and_given_back(stand) -> None:
    async def test(made: GatewayStand) -> None:
        text = made.settings.tenants_file.read_text().replace("max_sessions = 20", "max_sessions = 1", 1)
        made.settings.tenants_file.write_text(text)
        acme = bearer(made.keys["acme"])
        async with connected(made, **acme) as client:
            await client.until("session.created")
            status, body = await refusal(made, **acme)
            assert (status, body["code"]) == (429, "too_many_sessions")
            async with connected(made, **bearer(made.keys["globex"])) as other:
                await other.until("session.created")

        async def all_left() -> bool:
            return await made.parts.limits.live_sessions("acme") == 0

        await eventually(all_left)
        assert (await refusal(made, "&resume=sess_nobody", **acme))[0] == 404
        async with connected(made, **acme) as client:  # the refused one gave its place back
            await client.until("session.created")

    stand(test)


def test_a_conversation_survives_its_socket_but_not_for_another_tenant(stand) -> None:
    async def test(made: GatewayStand) -> None:
        acme = bearer(made.keys["acme"])
        async with connected(made, **acme) as client:
            session_id = (await client.until("session.created"))["session"]["id"]
            await client.update(instructions="Be kind.", output_modalities=["text"])
            await client.ask("Remember me")
            await client.until("response.done")

        async def kept() -> bool:
            return len(await made.parts.sessions.items("acme", session_id)) == 2

        await eventually(kept)
        assert (await refusal(made, f"&resume={session_id}", **bearer(made.keys["globex"])))[0] == 404
        async with connected(made, f"&resume={session_id}", **acme) as client:
            assert (await client.until("session.created"))["session"]["instructions"] == "Be kind."
            await client.ask("Who am I?")
            await client.until("response.done")
        assert made.script.requests[-1].items[0].text == "Remember me"
        async with made.client() as rest:
            assert len((await rest.get(f"/v1/sessions/{session_id}/items")).json()["data"]) == 4

    stand(test)


async def closed(client: Client) -> tuple[int, str]:
    """Read to the end: the last event says that the session is over, the close why."""
    assert (await client.until("error"))["error"]["code"] == "session_expired"
    with pytest.raises(websockets.ConnectionClosed) as ending:
        while True:
            await client.next()
    assert ending.value.rcvd
    return ending.value.rcvd.code, ending.value.rcvd.reason


def test_a_deleted_session_closes_its_socket_on_whatever_replica(stand, valkey_port: int, tmp_path: Path) -> None:
    async def test(made: GatewayStand) -> None:
        acme = bearer(made.keys["acme"])
        (tmp_path / "other").mkdir()
        async with gateway_standing(tmp_path / "other", valkey_port) as other, connected(made, **acme) as client:
            session_id = (await client.until("session.created"))["session"]["id"]
            async with made.client() as here, other.client() as there, other.client("globex") as stranger:
                await eventually(lambda: _exists(here, session_id))  # a socket's session is kept from its beginning
                await client.ask("Hi")
                await client.until("response.done")
                assert (await stranger.delete(f"/v1/sessions/{session_id}")).status_code == 404
                assert (await there.delete(f"/v1/sessions/{session_id}")).status_code == 204
                assert await closed(client) == (1000, "deleted")
                await eventually(lambda: not made.app.state.realtime.sessions)
                assert not await _exists(here, session_id), "the end of the socket wrote it again"
        assert (await refusal(made, f"&resume={session_id}", **acme))[0] == 404

    stand(test)


async def _exists(rest: httpx.AsyncClient, session_id: str) -> bool:
    return (await rest.get(f"/v1/sessions/{session_id}")).status_code == 200


def test_whoever_comes_last_has_the_session_and_nothing_of_it_is_lost(stand, valkey_port: int, tmp_path: Path) -> None:
    """A client whose network broke comes back, on another replica, before its old socket is known to be dead."""

    async def test(made: GatewayStand) -> None:
        (tmp_path / "other").mkdir()
        async with gateway_standing(tmp_path / "other", valkey_port) as other, connected(made, **bearer(made.keys["acme"])) as old:
            session_id = (await old.until("session.created"))["session"]["id"]
            await old.ask("First")
            await old.until("response.done")
            async with made.client() as rest:
                await eventually(lambda: _items(rest, session_id, 2))
                async with connected(other, f"&resume={session_id}", **bearer(other.keys["acme"])) as new:
                    await new.until("session.created")
                    assert await closed(old) == (1008, "taken_over")
                    await new.ask("Second")
                    await new.until("response.done")
                    await eventually(lambda: not made.app.state.realtime.sessions)
                    assert await _items(rest, session_id, 4)
                    assert session_id not in made.script.released, "the cache belongs to the new socket"
                    turn = await rest.post(f"/v1/sessions/{session_id}/turns", json={"text": "Third", "stream": False})
                    assert turn.status_code == 200
                    assert await closed(new) == (1008, "taken_over")
                assert await _items(rest, session_id, 6)

    stand(test)


async def _items(rest: httpx.AsyncClient, session_id: str, count: int) -> bool:
    return len((await rest.get(f"/v1/sessions/{session_id}/items")).json()["data"]) == count


def test_responses_count_as_requests_and_the_client_is_told_what_is_left(stand) -> None:
    async def test(made: GatewayStand) -> None:
        text = made.settings.tenants_file.read_text().replace("requests_per_minute = 600", "requests_per_minute = 1", 1)
        made.settings.tenants_file.write_text(text.replace("burst_requests = 60", "burst_requests = 3", 1))
        async with connected(made, **bearer(made.keys["acme"])) as client:
            await client.until("session.created")
            for left in (1, 0):
                await client.ask("Hi")
                await client.until("rate_limits.updated")
                (limit,) = client.events[-1]["rate_limits"]
                assert (limit["name"], limit["limit"], limit["remaining"]) == ("requests", 3, left)
                assert 60 * (2 - left) < limit["reset_seconds"] <= 60 * (3 - left)
            await client.ask("Hi")
            error = (await client.until("response.done"))["response"]["status_details"]["error"]
            assert error["code"] == "rate_limited" and "retry after" in error["message"]

    stand(test)


def test_the_openai_client_unmodified(stand) -> None:
    async def test(made: GatewayStand) -> None:
        client = AsyncOpenAI(api_key=made.keys["acme"], base_url=f"{made.url}/v1", timeout=WAIT_S)
        secret = await client.realtime.client_secrets.create(session={"type": "realtime", "instructions": "Be kind."})
        assert secret.value.startswith("ek_acme_")
        async with client.realtime.connect(model="a2-llm") as connection:
            await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
            await connection.conversation.item.create(item=item)
            await connection.response.create()
            async for event in connection:
                assert not event.type.startswith("a2.") and event.type != "error", event
                if event.type == "response.done":
                    assert event.response.status == "completed"
                    break
        await client.close()

    stand(test)
