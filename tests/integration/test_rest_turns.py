"""REST turns as they ship: one JSON or events, spoken in, functions, refusals, bounds, and who leaves early."""

import asyncio
import base64
import io
import json
import wave
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio.lock import Lock
from redis.exceptions import ConnectionError as RedisConnectionError
from support.rest import check_problem, new_session
from support.servers.gateway import GatewayStand, eventually
from support.servers.realtime import Script

from a2serve.gateway.access.load_shedding import LoadShedding
from a2serve.gateway.realtime.limits import SessionLimits


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
            assert body["affect"] == {"category": "joy", "intensity": 0.5}
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


@pytest.mark.parametrize("transcript", ["", "...", "[BLANK_AUDIO]"])
def test_a_turn_of_silence_or_noise_is_asked_for_again(stand, transcript: str) -> None:
    script = Script(packets=4, transcripts=[transcript, "how are you"])

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            session_id = await new_session(client)
            asked = {"audio": {"data": base64.b64encode(bytes(96_000)).decode(), "format": "pcm16"}, "stream": False}
            for _ in range(2):
                response = await client.post(f"/v1/sessions/{session_id}/turns", json=asked)
                assert response.status_code == 200, response.text
        silence, words = script.requests
        assert silence.given.over and "?" in silence.given.text, "it asks, and invents nothing"
        assert not words.HasField("given"), "what holds words is answered by the model"

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
