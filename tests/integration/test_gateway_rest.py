"""REST as it ships: uvicorn, a real Valkey, a scripted model over gRPC."""

import asyncio
import base64
import io
import json
import re
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai.types.realtime import ClientSecretCreateResponse
from redis.asyncio.lock import Lock
from redis.exceptions import ConnectionError as RedisConnectionError
from support.servers.gateway import GatewayStand, eventually, gateway_standing, run, talking
from support.servers.realtime import Script

from a2serve.contracts.records import AuditRecord
from a2serve.gateway.access.load_shedding import LoadShedding
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.state import redis_keys, store
from a2serve.gateway.tenants import revoke_key

Test = Callable[[GatewayStand], Awaitable[None]]


@pytest.fixture
def stand(valkey_port: int, tmp_path: Path) -> Callable[..., None]:
    """Runs a test against a fresh gateway and an empty Valkey."""

    def go(test: Test, script: Script | None = None, **settings: Any) -> None:
        async def within() -> None:
            async with gateway_standing(tmp_path, valkey_port, script, **settings) as made:
                await test(made)

        run(within)

    return go


def check_problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert (body["status"], body["code"], body["type"].rsplit("/", 1)[1]) == (status, code, code)
    assert body["title"] and body["detail"]
    assert body["request_id"] == response.headers["x-request-id"]
    return body


async def new_session(client: httpx.AsyncClient, **body: Any) -> str:
    response = await client.post("/v1/sessions", json=body)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"/v1/sessions/{response.json()['id']}"
    return response.json()["id"]


def test_a_session_lives_from_create_to_delete(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session = {"instructions": "Be brief.", "a2": {"persona": "ada", "motion": {"rig": "arkit61", "fps": 30}}}
            session_id = await new_session(client, session=session, end_user_id="u1", metadata={"order": "7"})
            body = (await client.get(f"/v1/sessions/{session_id}")).json()
            assert body["session"]["instructions"] == "Be brief." and body["session"]["a2"]["motion"]["fps"] == 30
            assert (body["end_user_id"], body["metadata"]) == ("u1", {"order": "7"})
            assert 0 < body["expires_at"] - body["created_at"] <= made.settings.session_ttl_s + 1
            assert (await client.get(f"/v1/sessions/{session_id}/items")).json()["data"] == []
            assert (await client.delete(f"/v1/sessions/{session_id}")).status_code == 204
            check_problem(await client.get(f"/v1/sessions/{session_id}"), 404, "not_found")
            check_problem(await client.delete(f"/v1/sessions/{session_id}"), 404, "not_found")
            assert made.script.released == [session_id]

    stand(test)


def test_one_tenant_never_sees_what_another_has(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client("acme") as acme, made.client("globex") as globex:
            session_id = await new_session(acme)
            await acme.post(f"/v1/sessions/{session_id}/turns", json={"text": "a secret", "stream": False})
            await acme.post("/v1/personas", json={"name": "mine", "instructions": "secret"})
            for method, path in (("GET", ""), ("GET", "/items"), ("DELETE", ""), ("POST", "/turns")):
                body = {"text": "hello"} if method == "POST" else None
                response = await globex.request(method, f"/v1/sessions/{session_id}{path}", json=body)
                check_problem(response, 404, "not_found")
                assert "secret" not in response.text
            assert "mine" not in (await globex.get("/v1/personas")).text
            check_problem(await globex.delete("/v1/personas/mine"), 404, "not_found")
            refused = await globex.post("/v1/sessions", json={"session": {"a2": {"persona": "mine"}}})
            check_problem(refused, 422, "persona_unknown")
            with_key = {"idempotency-key": "same"}
            first = await acme.post("/v1/sessions", json={}, headers=with_key)
            other = await globex.post("/v1/sessions", json={}, headers=with_key)
            assert first.json()["id"] != other.json()["id"]
            assert (await acme.get(f"/v1/sessions/{session_id}/items")).json()["data"]

        names = [key.decode() for key in await made.parts.redis.keys("*")]
        nobodys = {redis_keys.OUTBOX, redis_keys.OPEN, redis_keys.REWRITTEN}
        assert all(name in nobodys or name.split(":")[1] in ("acme", "globex") for name in names), names

    stand(test)


def test_a_turn_chooses_how_words_are_drawn(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            response = await client.post("/v1/sessions", json={"session": {"temperature": 0.5, "seed": 7}})
            session_id = response.json()["id"]
            asked = {"text": "Hi", "stream": False, "response": {"top_p": 0.25, "seed": 8, "output_modalities": ["text"]}}
            assert (await client.post(f"/v1/sessions/{session_id}/turns", json=asked)).status_code == 200
            request = made.script.requests[-1]
            assert (request.temperature, request.top_p, request.seed) == (0.5, 0.25, 8)
            wrong = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "response": {"top_p": 2}})
            assert (wrong.status_code, wrong.json()["code"], wrong.json()["param"]) == (422, "invalid_value", "body.response.top_p")

    stand(test)


def test_a_turn_as_one_json(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            asked = {"text": "Hi", "stream": False, "motion": {"rig": "arkit61", "fps": 25}}
            response = await client.post(f"/v1/sessions/{session_id}/turns", json=asked)
            assert response.status_code == 200, response.text
            body = response.json()
            assert (body["status"], body["text"]) == ("completed", "one two three four five")
            assert body["affect"] == {"category": "happy", "intensity": 0.5}
            assert body["audio"]["duration_ms"] == 1000 and body["usage"]["input_tokens"] == 30
            with wave.open(io.BytesIO(base64.b64decode(body["audio"]["data"]))) as sound:
                assert (sound.getframerate(), sound.getnframes()) == (24_000, 24_000)
            motion = body["motion"]
            assert (motion["rig"], motion["fps"], motion["frames"], len(motion["coefficient_names"])) == ("arkit61", 25, 25, 61)
            assert len(base64.b64decode(motion["values"])) == 25 * 61 * 2
            items = (await client.get(f"/v1/sessions/{session_id}/items")).json()
            said = [(item["role"], item["content"][0].get("text") or item["content"][0].get("transcript")) for item in items["data"]]
            assert said == [("user", "Hi"), ("assistant", "one two three four five")]
            kept = (await client.get(f"/v1/sessions/{session_id}")).json()["session"]
            assert kept.get("a2") is None and kept["audio"]["input"]["turn_detection"]["type"] == "server_vad", "a turn leaves no settings"
            await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "And?", "stream": False})
            assert [item.text for item in made.script.requests[1].items] == ["Hi", "one two three four five", "And?"]
            assert not made.script.released, "the cache stays for the next turn"

    stand(test)


def test_a_turn_as_events(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            async with client.stream("POST", f"/v1/sessions/{session_id}/turns", json={"text": "Hi"}) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                lines = [line async for line in response.aiter_lines()]
        events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
        kinds = [event["type"] for event in events]
        assert [line.removeprefix("event: ") for line in lines if line.startswith("event: ")] == kinds
        assert kinds[0] == "session.created" and kinds[-1] == "response.done"
        assert kinds.count("response.output_audio.delta") == 20 and not any(kind.startswith("a2.") for kind in kinds)

    stand(test)


def test_spoken_in_and_functions(stand) -> None:
    script = Script(packets=4, transcripts=["what is the weather"], call=("weather", '{"city": "Rome"}'))

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
            session_id = await new_session(client, session={"tools": [tool]})
            sound = io.BytesIO()
            with wave.open(sound, "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(16_000)
                file.writeframes(bytes(32_000))
            audio = {"data": base64.b64encode(sound.getvalue()).decode()}
            body = (await client.post(f"/v1/sessions/{session_id}/turns", json={"audio": audio, "stream": False})).json()
            assert body["user"]["transcript"] == "what is the weather"
            assert body["function_calls"] == [{"call_id": "call_1", "name": "weather", "arguments": '{"city": "Rome"}'}]
            assert 23_900 <= sum(len(request.pcm16) // 2 for request in script.listens) <= 24_100, "one second, at our rate"
            script.call = None
            outputs = [{"call_id": "call_1", "output": "sunny"}]
            await client.post(f"/v1/sessions/{session_id}/turns", json={"tool_outputs": outputs, "stream": False})
            assert [item.text for item in script.requests[1].items][-1] == "sunny"
            wrong = [{"call_id": "call_9", "output": "?"}]
            refused = await client.post(f"/v1/sessions/{session_id}/turns", json={"tool_outputs": wrong, "stream": False})
            check_problem(refused, 422, "invalid_tool_call_id")

    stand(test, script)


def test_a_refused_turn_changes_nothing_and_says_when_to_come_back(stand) -> None:
    script = Script(refuse=True)

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            for stream in (True, False):
                made.parts.load_shedding = LoadShedding()  # each asks the model
                for _ in range(2):  # and the second one in vain
                    response = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": stream})
                    check_problem(response, 503, "no_capacity")
                assert int(response.headers["retry-after"]) >= 1
            assert (await client.get(f"/v1/sessions/{session_id}/items")).json()["data"] == []

    stand(test, script)


def test_all_of_a_turn_but_its_audio_is_bounded_as_an_event_of_a_socket(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            limit = SessionLimits().max_event_bytes
            assert limit + 1000 < made.settings.body_limit_bytes, "else the body's own limit refuses it"
            for stream in (True, False):
                body = {"text": "hello", "response": {"instructions": "x" * limit}, "stream": stream}
                check_problem(await client.post(f"/v1/sessions/{session_id}/turns", json=body), 413, "event_too_large")

    stand(test)


def test_who_closes_the_stream_cancels_and_the_session_is_free_again(stand) -> None:
    script = Script(packets=5000, pace_s=0.02)

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            async with client.stream("POST", f"/v1/sessions/{session_id}/turns", json={"text": "Hi"}) as response:
                lines = response.aiter_lines()  # kept: httpx closes a connection whose iterator is collected
                async for line in lines:
                    if "output_audio.delta" in line:
                        break
                busy = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi"})
                check_problem(busy, 409, "conversation_already_has_active_response")
            await eventually(lambda: script.cancelled == 1)
            script.packets = 2

            async def again() -> bool:
                return (await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Again", "stream": False})).status_code == 200

            await eventually(again)
            items = (await client.get(f"/v1/sessions/{session_id}/items")).json()["data"]
            assert [item["status"] for item in items] == ["completed", "incomplete", "completed", "completed"]
            assert await made.parts.limits.live_sessions("acme") == 0

    stand(test, script)


@pytest.mark.parametrize("stream", [False, True])
def test_who_was_answered_may_ask_again_at_once(stand, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    """The floor is given back before the client is told that the answer is done, however long giving it back takes."""

    async def slowly(lock: Any, expected_token: Any) -> None:
        await asyncio.sleep(0.05)
        await released(lock, expected_token)

    released = Lock.do_release
    monkeypatch.setattr(Lock, "do_release", slowly)

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            path = f"/v1/sessions/{session_id}/turns"
            for bad in (False, True) * 10:
                body = {"text": "Hi", "stream": stream} | (
                    {"response": {"tool_choice": {"type": "function", "name": "none"}}} if bad else {}
                )
                async with client.stream("POST", path, json=body) as response:
                    lines = response.aiter_lines()  # kept: httpx closes a connection whose iterator is collected
                    said = [line async for line in takewhile_not_done(lines)]
                assert response.status_code == (422 if bad else 200), said

    stand(test)


async def takewhile_not_done(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    async for line in lines:
        yield line
        if line.startswith("data: ") and '"type":"response.done"' in line:
            return


def test_a_turn_that_cannot_be_kept_says_so(stand, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: Any) -> None:
        raise RedisConnectionError

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            monkeypatch.setattr(made.parts.sessions, "save", down)
            response = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": False})
            check_problem(response, 503, "state_unavailable")
            streamed = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi"})
            assert streamed.text.index("event: response.done") < streamed.text.index("event: error")
            monkeypatch.undo()
            assert (await client.get(f"/v1/sessions/{session_id}/items")).json()["data"] == []

    stand(test)


def test_of_parallel_deletes_of_a_session_one_wins(stand) -> None:
    """Else each of them would write that it deleted it."""

    async def test(made: GatewayStand) -> None:
        record = AuditRecord(tenant="acme", actor="k", action="session.delete", target="s")
        async with made.client() as client:
            for _ in range(5):
                session_id = await new_session(client)
                await made.parts.redis.delete(redis_keys.OUTBOX)
                deleted = await asyncio.gather(*(made.parts.sessions.delete("acme", session_id, record) for _ in range(8)))
                assert sorted(deleted) == [False] * 7 + [True]
                assert await made.parts.redis.xlen(redis_keys.OUTBOX) == 1
                check_problem(await client.delete(f"/v1/sessions/{session_id}"), 404, "not_found")

    stand(test)


def test_a_session_that_is_deleted_during_its_turn_stays_deleted(stand) -> None:
    async def test(made: GatewayStand) -> None:
        made.script.packets, made.script.pace_s = 40, 0.02
        async with made.client() as client:
            session_id = await new_session(client)
            path = f"/v1/sessions/{session_id}"
            turn = asyncio.create_task(client.post(f"{path}/turns", json={"text": "Hi", "stream": False}))
            await eventually(lambda: made.script.requests)
            assert (await client.delete(path)).status_code == 204
            check_problem(await turn, 410, "session_expired")
            check_problem(await client.get(path), 404, "not_found")

    stand(test)


def test_the_api_page_needs_nobody_else(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client(key="") as client:
            page = await client.get("/docs")
            policy = page.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "http" not in policy and "unsafe-eval" not in policy
            linked = re.findall(r'(?:href|src)="([^"]+)"', page.text)
            assert linked and all(link.startswith(("docs/", "data:")) for link in linked)
            for link in linked:
                if not link.startswith("data:"):
                    assert (await client.get(f"/{link}")).status_code == 200, link
            assert "openapi.json" in (await client.get("/docs/start.js")).text
            assert (await client.get("/openapi.json")).json()["info"]["title"] == "A2-LLM Serve"

    stand(test)


def test_idempotency(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            with_key = {"idempotency-key": "k1"}
            first = await client.post("/v1/sessions", json={"end_user_id": "a"}, headers=with_key)
            again = await client.post("/v1/sessions", json={"end_user_id": "a"}, headers=with_key)
            assert (again.status_code, again.content, again.headers["location"]) == (201, first.content, first.headers["location"])
            assert again.headers["idempotency-replayed"] == "true" and again.headers["x-request-id"] != first.headers["x-request-id"]
            check_problem(await client.post("/v1/sessions", json={"end_user_id": "b"}, headers=with_key), 409, "conflict")
            bad = {"session": {"a2": {"persona": "nobody"}}}
            for _ in range(2):  # failures are not kept
                check_problem(await client.post("/v1/sessions", json=bad, headers={"idempotency-key": "k2"}), 422, "persona_unknown")
            path = f"/v1/sessions/{first.json()['id']}/turns"
            turns = [await client.post(path, json={"text": "Hi", "stream": False}, headers={"idempotency-key": "t"}) for _ in range(2)]
            assert turns[0].content == turns[1].content and len(made.script.requests) == 1
            streamed = [await client.post(path, json={"text": "Hi"}, headers={"idempotency-key": "s"}) for _ in range(2)]
            assert [response.status_code for response in streamed] == [200, 200] and streamed[1].content == streamed[0].content
            assert streamed[1].headers["content-type"].startswith("text/event-stream") and len(made.script.requests) == 2
            async with client.stream("POST", path, json={"text": "Hi"}, headers={"idempotency-key": "left"}) as left:
                await anext(left.aiter_raw())
            check_problem(await client.post(path, json={"text": "Hi"}, headers={"idempotency-key": "left"}), 409, "conflict")
            persona = {"name": "maid", "instructions": "Be quick."}
            for _ in range(2):  # what was deleted is made again, not said to be there
                made_one = await client.post("/v1/personas", json=persona, headers={"idempotency-key": "p"})
                assert made_one.status_code == 201 and (await client.delete("/v1/personas/maid")).status_code == 204
            at_once = await asyncio.gather(*(client.post("/v1/sessions", json={}, headers={"idempotency-key": "r"}) for _ in range(8)))
            assert len({response.json()["id"] for response in at_once if response.status_code == 201}) == 1
            assert {response.status_code for response in at_once} <= {201, 409}

    stand(test)


def test_every_error_is_a_problem(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client, made.client(key="a2_0123456789ab_" + "x" * 32) as stranger:
            unknown = check_problem(await stranger.get("/v1/personas"), 401, "unauthorized")
            assert "unknown" in unknown["detail"]
            bare = await stranger.get("/v1/personas", headers={"authorization": ""})
            check_problem(bare, 401, "unauthorized")
            assert bare.headers["www-authenticate"] == "Bearer"
            check_problem(await client.get("/v1/nothing"), 404, "not_found")
            refused = await client.put("/v1/sessions", json={})
            check_problem(refused, 405, "method_not_allowed")
            assert refused.headers["allow"] == "GET, POST"
            assert (await client.patch("/v1/personas", json={})).headers["allow"] == "GET, POST"
            text = {"content-type": "text/plain"}
            check_problem(await client.post("/v1/sessions", content=b"{}", headers=text), 415, "unsupported_media_type")
            json_type = {"content-type": "application/json"}
            check_problem(await client.post("/v1/sessions", content=b"{", headers=json_type), 400, "invalid_json")
            wrong = check_problem(await client.post("/v1/sessions", json={"sesion": {}}), 422, "invalid_value")
            assert wrong["param"] == "body.sesion" and wrong["errors"][0]["param"] == "body.sesion"
            check_problem(await client.get("/v1/sessions/nonsense"), 422, "invalid_value")
            large = b'{"metadata": "' + b"x" * made.settings.body_limit_bytes + b'"}'
            check_problem(await client.post("/v1/sessions", content=large, headers=json_type), 413, "body_too_large")

            async def chunks():
                for start in range(0, len(large), 65_536):
                    yield large[start : start + 65_536]

            check_problem(await client.post("/v1/sessions", content=chunks(), headers=json_type), 413, "body_too_large")
            kept = await client.get("/v1/personas", headers={"x-request-id": "mine-1"})
            assert kept.headers["x-request-id"] == "mine-1"
            made_up = await client.get("/v1/personas", headers={"x-request-id": "a b"})
            assert made_up.headers["x-request-id"].startswith("req_")

    stand(test, body_limit_bytes=100_000)


def test_limits_of_one_tenant_leave_the_other_alone(stand) -> None:
    async def test(made: GatewayStand) -> None:
        text = made.settings.tenants_file.read_text().replace("[tenants.acme]\nmax_sessions = 20", "[tenants.acme]\nmax_sessions = 1")
        text = text.replace("requests_per_minute = 600", "requests_per_minute = 1", 1)
        made.settings.tenants_file.write_text(text.replace("burst_requests = 60", "burst_requests = 8", 1))
        made.script.packets, made.script.pace_s = 5000, 0.02
        async with made.client("acme") as acme, made.client("globex") as globex:
            sessions = [await new_session(acme) for _ in range(2)]
            async with acme.stream("POST", f"/v1/sessions/{sessions[0]}/turns", json={"text": "Hi"}):
                full = await acme.post(f"/v1/sessions/{sessions[1]}/turns", json={"text": "Hi"})
                check_problem(full, 429, "too_many_sessions")
                assert full.headers["retry-after"] == "2"
            responses = [await acme.get("/v1/personas") for _ in range(8)]
            check_problem(responses[-1], 429, "rate_limited")
            assert int(responses[-1].headers["retry-after"]) >= 1
            assert (await globex.get("/v1/personas")).status_code == 200

    stand(test)


def test_a_revoked_key_ends_with_its_client_secrets(stand) -> None:
    from a2serve.gateway.tenants import revoke_key

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            secret = (await client.post("/v1/realtime/client_secrets", json={})).json()["value"]
            async with made.client(key=secret) as page:
                assert (await page.get("/v1/personas")).status_code == 200
                revoke_key(made.settings.tenants_file, made.keys["acme"].split("_")[1])
                check_problem(await client.get("/v1/personas"), 401, "unauthorized")
                check_problem(await page.get("/v1/personas"), 401, "unauthorized")

    stand(test)


def test_client_secrets_have_the_shape_of_the_ga_api_and_open_little(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            asked = {"expires_after": {"anchor": "created_at", "seconds": 60}, "session": {"type": "realtime", "instructions": "Be kind."}}
            response = await client.post("/v1/realtime/client_secrets", json=asked)
            made_secret = ClientSecretCreateResponse.model_validate(response.json())
            assert made_secret.session.instructions == "Be kind."  # type: ignore[union-attr]
            for seconds in (9, 7201):
                refused = await client.post("/v1/realtime/client_secrets", json={"expires_after": {"seconds": seconds}})
                check_problem(refused, 422, "invalid_value")
            keys = [key.decode() for key in await made.parts.redis.keys("*:acme:secret:*")]
            assert len(keys) == 1 and made_secret.value not in keys[0]
            assert made_secret.value.encode() not in await made.parts.redis.get(keys[0])
            assert 0 < await made.parts.redis.ttl(keys[0]) <= 60
            async with made.client(key=made_secret.value) as page:
                assert (await page.get("/v1/avatars")).status_code == 200
                for method, path in (("POST", "/v1/sessions"), ("POST", "/v1/realtime/client_secrets"), ("GET", "/v1/usage")):
                    check_problem(await page.request(method, path, json={} if method == "POST" else None), 403, "forbidden")
            bound = {"a2": {"origin": "https://shop.example"}}
            secret = (await client.post("/v1/realtime/client_secrets", json=bound)).json()["value"]
            async with made.client(key=secret) as page:
                check_problem(await page.get("/v1/avatars"), 403, "forbidden")
                check_problem(await page.get("/v1/avatars", headers={"origin": "https://evil.example"}), 403, "forbidden")
                assert (await page.get("/v1/avatars", headers={"origin": "https://shop.example"})).status_code == 200

    stand(test)


def test_personas_of_ones_own(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            mine = {"name": "concierge", "instructions": "You are a concierge.", "affect_baseline": {"category": "happy", "intensity": 0.3}}
            created = await client.post("/v1/personas", json=mine)
            assert created.status_code == 201 and created.json()["own"] is True
            check_problem(await client.post("/v1/personas", json=mine), 409, "conflict")
            check_problem(await client.post("/v1/personas", json=mine | {"name": "ada"}), 409, "conflict")
            grumpy = mine | {"name": "x", "affect_baseline": {"category": "grumpy", "intensity": 1}}
            check_problem(await client.post("/v1/personas", json=grumpy), 422, "unsupported")
            rows = (await client.get("/v1/personas")).json()["data"]
            assert {row["name"]: (row["own"], row["voice"]) for row in rows} == {"ada": (False, "hibari"), "concierge": (True, "hibari")}
            session_id = await new_session(client, session={"a2": {"persona": "concierge"}})
            await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": False})
            request = made.script.requests[0]
            assert (request.persona, request.instructions) == ("", "You are a concierge.")
            assert request.affect_baseline.category == "happy"
            assert (await client.delete("/v1/personas/concierge")).status_code == 204

    stand(test)


def test_the_audit_trail_has_sockets_keys_and_refusals(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client, made.client(key="a2_0000000000_" + "x" * 32) as stranger:
            async with made.talking() as socket:
                session_id = socket.events[0]["session"]["id"]
                for words in ("Be brief.", "Be kind.", "Be quick."):
                    await socket.update(instructions=words)
            fixed = {"session": {"type": "realtime", "instructions": "Sell."}}
            minted = (await client.post("/v1/realtime/client_secrets", json=fixed)).json()["value"]
            async with talking(made.socket_url, minted) as page:
                await page.send("session.update", session={"type": "realtime", "instructions": "Give away."})
                await page.until("error")
            for _ in range(20):
                check_problem(await stranger.get("/v1/usage"), 401, "unauthorized")
            revoked = revoke_key(made.settings.tenants_file, made.keys["globex"].split("_")[1])
            await eventually(lambda: _audited(made, "key.revoke"))
            await eventually(lambda: _audited(made, "GET /v1/usage"))
            await eventually(lambda: _audited(made, "session.update", 2))
            found = await _audits(made)
            mine = [(row["action"], row["detail"].get("times")) for row in found if row["target"] == session_id]
            assert mine == [("session.create", None), ("session.update", None), ("session.update", "2")]
            assert sorted(row["target"] for row in found if row["action"] == "key.create") == sorted(
                key.split("_")[1] for key in made.keys.values()
            )
            assert [(row["tenant"], row["target"]) for row in found if row["action"] == "key.revoke"] == [("globex", revoked.id)]
            refused = [(row["tenant"], row["action"], row["detail"]["code"]) for row in found if row["outcome"] == "refused"]
            assert sorted(refused) == [("-", "GET /v1/usage", "unauthorized"), ("acme", "socket", "forbidden")]

    stand(test)


async def _audited(made: GatewayStand, action: str, times: int = 1) -> bool:
    return [row["action"] for row in await _audits(made)].count(action) >= times


async def _audits(made: GatewayStand) -> list[dict[str, Any]]:
    entries = await made.parts.redis.xrange(redis_keys.OUTBOX)
    return [json.loads(fields[b"value"]) for _, fields in entries if fields[b"topic"] == b"a2.audit"]


async def pages(client: httpx.AsyncClient, path: str, **asked: Any) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    after: dict[str, Any] = {}
    while True:
        response = await client.get(path, params=asked | after)
        assert response.status_code == 200, response.text
        body = response.json()
        found.append(body["data"])
        if not body["has_more"]:
            return found
        after = {"after": body["last_id"]}


def test_voices_that_are_not_there_are_named_as_such(stand) -> None:
    """Also a persona that an earlier version kept with a voice of any name is shown with the one that speaks."""

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            mine = {"name": "mine", "instructions": "x"}
            refused = await client.post("/v1/personas", json=mine | {"voice": "zorro"})
            assert "available: default, hibari" in check_problem(refused, 422, "unsupported")["detail"]
            for name, voice in (("a", "hibari"), ("b", "default")):
                created = await client.post("/v1/personas", json=mine | {"name": name, "voice": voice})
                assert (created.status_code, created.json()["voice"]) == (201, "hibari")
            old = '{"name":"old","instructions":"x","avatar":"woman","voice":"zorro","affect_baseline":null}'
            await made.parts.redis.hset(redis_keys.personas("acme"), "old", old)
            assert {row["voice"] for row in (await client.get("/v1/personas")).json()["data"]} == {"hibari"}
            session = {"audio": {"output": {"voice": "zorro"}}}
            check_problem(await client.post("/v1/sessions", json={"session": session}), 422, "unsupported")
            check_problem(await client.post("/v1/realtime/client_secrets", json={"session": session}), 422, "unsupported")
            alloy = {"audio": {"output": {"voice": "alloy"}}}
            assert (await client.post("/v1/sessions", json={"session": alloy})).status_code == 201

    stand(test)


def test_personas_by_page(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            for name in ("zoe", "aaron", "bob"):
                await client.post("/v1/personas", json={"name": name, "instructions": "x"})
            found = await pages(client, "/v1/personas", limit=2)
            assert [[row["name"] for row in page] for page in found] == [["ada", "aaron"], ["bob", "zoe"]]
            await client.delete("/v1/personas/aaron")
            behind = (await client.get("/v1/personas?after=aaron")).json()
            assert [row["name"] for row in behind["data"]] == ["bob", "zoe"], "one that is gone is a place all the same"
            check_problem(await client.get("/v1/personas?limit=0"), 422, "invalid_value")

    stand(test)


def test_sessions_by_page_and_end_user(stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_LOOKED_AT", 3)

    async def test(made: GatewayStand) -> None:
        async with made.client() as client, made.client("globex") as other, made.talking() as socket:
            by_socket = socket.events[0]["session"]["id"]
            mine = [await new_session(client, end_user_id=f"u{i % 2}", metadata={"n": str(i)}) for i in range(6)]
            deleted, foreign = await new_session(client), await new_session(other)
            await client.delete(f"/v1/sessions/{deleted}")
            await eventually(lambda: _listed(client, by_socket))
            found = await pages(client, "/v1/sessions", limit=2)
            assert max(map(len, found)) == 2 and [row["id"] for page in found for row in page] == sorted([*mine, by_socket])
            assert foreign not in str(found) and "session" not in found[0][0]
            row = next(row for page in found for row in page if row["id"] == mine[5])
            alone = (await client.get(f"/v1/sessions/{mine[5]}")).json()
            assert abs(row.pop("expires_at") - alone.pop("expires_at")) <= 1
            assert row == {name: value for name, value in alone.items() if name != "session"}
            of_user = [row["id"] for page in await pages(client, "/v1/sessions", end_user_id="u1") for row in page]
            assert of_user == sorted(mine[1::2])
            minted = (await client.post("/v1/realtime/client_secrets", json={})).json()["value"]
            async with made.client(key=minted) as page:
                check_problem(await page.get("/v1/sessions"), 403, "forbidden")

    stand(test)


async def _listed(client: httpx.AsyncClient, session_id: str) -> bool:
    return session_id in str(await pages(client, "/v1/sessions"))


def test_ready_says_what_is_missing(stand, valkey_port: int, tmp_path: Path) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            assert (await client.get("/readyz")).json() == {"ready": True, "draining": False, "redis": "ok", "inference": "ok"}
            made.parts.draining = True
            response = await client.get("/readyz")
            assert (response.status_code, response.json()["draining"]) == (503, True)
            session_id = await new_session(client)
            check_problem(await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi"}), 503, "draining")
            numbers = (await client.get("/metrics")).text
            assert 'a2_gateway_requests_total{method="GET",route="/readyz",status="503"} 1.0' in numbers

    stand(test)

    async def without_redis() -> None:
        async with gateway_standing(tmp_path / "down", 9) as made, made.client() as client:
            assert (await client.get("/healthz")).status_code == 200
            response = await client.get("/readyz")
            assert response.status_code == 503 and response.json()["redis"].startswith("unreachable")
            check_problem(await client.post("/v1/sessions", json={}), 503, "state_unavailable")

    run(without_redis)


def test_the_page_of_this_machine(stand, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>hello</h1>")
    heads = tmp_path / "heads"
    heads.mkdir()
    (heads / "ada.glb").write_bytes(b"glTF")
    (heads / "README.md").write_text("not a head")

    async def test(made: GatewayStand) -> None:
        async with made.client(key="") as client:
            assert "hello" in (await client.get("/")).text
            head = await client.get("/avatars/ada.glb", headers={"origin": "https://shop.example"})
            assert head.content == b"glTF" and head.headers["access-control-allow-origin"] == "*"
            check_problem(await client.get("/avatars/README.md"), 404, "not_found")
            check_problem(await client.get("/no/such.js"), 404, "not_found")
            check_problem(await client.post("/nothing"), 404, "not_found")
            minted = await client.get("/local/session", headers={"origin": made.url})
            assert minted.headers["cache-control"] == "no-store" and "access-control-allow-origin" not in minted.headers
            for odd in ({"origin": "https://evil.example"}, {"host": "evil.example"}, {"sec-fetch-site": "cross-site"}):
                check_problem(await client.get("/local/session", headers=odd), 403, "forbidden")
            async with made.client(key=minted.json()["value"]) as own:
                check_problem(await own.get("/v1/avatars"), 403, "forbidden")
                rows = (await own.get("/v1/avatars", headers={"origin": made.url})).json()["data"]
                assert rows == [{"name": "ada", "object": "a2.avatar", "url": "/avatars/ada.glb", "rigs": ["arkit61"]}]

    stand(test, profile="local", web_folder=page, avatars_folder=heads, local_tenant="acme")

    async def elsewhere(made: GatewayStand) -> None:
        async with made.client(key="") as client:
            check_problem(await client.get("/local/session"), 404, "not_found")

    stand(elsewhere)
