"""Bad input, slow readers, strangers side by side, sessions that end: the socket answers, nothing leaks."""

import asyncio
import base64
import json
import random
import socket as sockets

import numpy as np
import pytest
import websockets
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.websockets import WebSocket
from support.servers.realtime import OneKey, Script, Stand, run, silence, speech, standing

from a2serve.gateway.access.auth import Principal
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.session.session import Session


def test_each_bad_frame_gets_its_error_and_the_socket_lives():
    bad: list[tuple[str | bytes, str]] = [
        ("{", "invalid_json"),
        ("", "invalid_json"),
        ('{"type": "no.such.event", "event_id": "e"}', "invalid_event"),
        ('{"type": "input_audio_buffer.append", "audio": "***", "event_id": "e"}', "invalid_audio"),
        ('{"type": "input_audio_buffer.append", "audio": "AAA", "event_id": "e"}', "invalid_audio"),
        ('{"type": "input_audio_buffer.append", "audio": "AAAA", "event_id": "e"}', "invalid_audio"),  # 3 bytes: half a sample
        ('{"type": "input_audio_buffer.commit", "event_id": "e"}', "input_audio_buffer_commit_empty"),
        ('{"type": "response.cancel", "event_id": "e"}', "response_cancel_not_active"),
        (b"\x00\x01", "unsupported"),
        (json.dumps({"type": "input_audio_buffer.append", "audio": "A" * (10 << 20)}), "event_too_large"),
        (
            '{"type": "conversation.item.create", "event_id": "e", "item": {"type": "message", "role": "user", "content": 5}}',
            "invalid_value",
        ),
        ('{"type": "conversation.item.create", "event_id": "e", "item": {"type": "mcp_call"}}', "invalid_value"),
    ]

    async def scene() -> None:
        async with standing() as stand, stand.connect() as client:
            await client.next()
            for frame, code in bad:
                await client.socket.send(frame)
                error = (await client.until("error"))["error"]
                assert error["code"] == code, (frame[:80], error)
                assert error.get("event_id") == ("e" if '"e"' in str(frame) else None)
            await client.update(instructions="still here")
            assert len(client.of("error")) == len(bad)

    run(scene)


def test_eight_khz_sent_as_24_and_audio_after_cancel_are_tolerated():
    async def scene() -> None:
        async with standing(Script(packets=100, running="wait")) as stand, stand.connect() as client:
            await client.next()
            await client.ask("hello")
            await client.until("response.output_audio.delta")
            await client.send("response.cancel")
            fast = np.frombuffer(speech(), "<i2")[::3].tobytes()
            await client.say(fast)
            await client.until("response.done")
            await client.update(instructions="still here")
            assert not client.of("error")

    run(scene)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
SOUND = base64.b64encode(silence(40)).decode()
IDS = st.sampled_from(["item_1", "item_2", "root"])
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["input_text", "output_text", "input_audio", "output_audio", "input_image"])},
    optional={"text": st.text(max_size=8), "audio": st.just(SOUND), "transcript": st.text(max_size=8)},
)
MESSAGE = st.fixed_dictionaries(
    {"type": st.just("message"), "role": st.sampled_from(["user", "assistant", "system"]), "content": st.lists(PART, max_size=2)},
    optional={"id": IDS},
)
CALLED = st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": IDS, "output": st.text(max_size=5)})
DETECTION = st.sampled_from([None, {"type": "server_vad", "silence_duration_ms": 100}, {"type": "semantic_vad"}, {"type": "psychic"}])
SESSION = st.fixed_dictionaries(
    {"type": st.just("realtime")},
    optional={
        "instructions": st.text(max_size=5),
        "output_modalities": st.sampled_from([["audio"], ["text"], [], ["smell"]]),
        "audio": st.fixed_dictionaries({"input": st.fixed_dictionaries({"turn_detection": DETECTION})}),
        "a2": st.fixed_dictionaries({}, optional={"motion": st.sampled_from([None, {"fps": 25}, {"fps": 1}]), "binary": st.booleans()}),
    },
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "conversation": st.sampled_from(["none", "auto"]),
        "input": st.lists(MESSAGE, max_size=2),
        "instructions": st.text(max_size=4),
    },
)
SENSIBLE = {
    "session.update": {"session": SESSION},
    "input_audio_buffer.append": {"audio": st.sampled_from([SOUND, SOUND, "%", "AA=="])},
    "input_audio_buffer.commit": {},
    "input_audio_buffer.clear": {},
    "conversation.item.create": {"item": MESSAGE | CALLED, "previous_item_id": st.none() | IDS},
    "conversation.item.retrieve": {"item_id": IDS},
    "conversation.item.delete": {"item_id": IDS},
    "conversation.item.truncate": {"item_id": IDS, "content_index": st.integers(-1, 1), "audio_end_ms": st.integers(-(10**9), 10**9)},
    "response.create": {"response": OPTIONS},
    "response.cancel": {"response_id": st.none() | IDS},
    "a2.playback": {"response_id": IDS, "played_ms": st.integers(-5, 5000)},
}
EVENT = st.one_of(
    *(st.fixed_dictionaries({"type": st.just(kind)} | fields) for kind, fields in SENSIBLE.items()),
    st.builds(lambda kind, junk: {"type": kind} | junk, st.sampled_from([*SENSIBLE, "nonsense"]), st.dictionaries(IDS, VALUES, max_size=2)),
    st.builds(lambda kind, session: {"type": "session.update", "session": session, "event_id": kind}, VALUES, VALUES),
)
EXPECTED = {
    "invalid_json",
    "invalid_event",
    "invalid_value",
    "unknown_parameter",
    "missing_required_parameter",
    "invalid_audio",
    "unsupported",
    "item_not_found",
    "item_already_exists",
    "invalid_tool_call_id",
    "input_audio_buffer_commit_empty",
    "response_cancel_not_active",
    "conversation_already_has_active_response",
    "rate_limited",
    "not_storable",
}


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EVENT, min_size=100, max_size=100))
def test_a_thousand_random_events(events):
    """Ten times a hundred: each is done or gets its error, and the session answers at the end."""

    async def scene() -> None:
        async with standing(Script(packets=3)) as stand, stand.connect() as client:
            await client.next()
            for event in events:
                await client.socket.send(json.dumps(event))
            end = {"type": "realtime", "instructions": "the end", "a2": {"events": False}}
            await client.send("session.update", event_id="the end", session=end)
            while not (client.events[-1]["type"] == "session.updated" and client.events[-1]["session"]["instructions"] == "the end"):
                await client.next()
            codes = {e["error"]["code"] for e in client.of("error")}
            assert codes <= EXPECTED, codes - EXPECTED

    run(scene)


def test_a_client_that_does_not_read_is_closed_with_a_reason_and_others_go_on():
    limits = SessionLimits(queue_messages=64, queue_bytes=200_000, stall_s=1)

    async def scene() -> None:
        async with standing(Script(packets=4), limits=limits) as stand, stand.connect() as good:
            await good.next()
            small = sockets.socket()
            small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
            small.connect(("127.0.0.1", stand.port))
            async with stand.connect(sock=small, max_queue=1) as slow:
                await slow.next()
                noise = random.Random(1).randbytes(25_000).hex()  # the wire is compressed
                big = {"type": "message", "role": "user", "id": "big", "content": [{"type": "input_text", "text": noise}]}
                await slow.send("conversation.item.create", item=big)
                for _ in range(400):  # asks, and never reads the answers
                    try:
                        await slow.send("conversation.item.retrieve", item_id="big")
                    except websockets.ConnectionClosed:
                        break
                async with asyncio.timeout(60):
                    while len(stand.memory.sessions) < 3:
                        await asyncio.sleep(0.05)
                assert [facts.cause for facts in stand.memory.sessions if facts.event == "closed"] == ["slow_reader"]
                await good.ask("hello")
                assert (await good.until("response.done"))["response"]["status"] == "completed"
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    while True:
                        await slow.next()
                assert closed.value.rcvd is None or (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "slow_reader")

    run(scene)


def test_two_at_once_never_get_a_byte_of_the_other():
    async def scene() -> None:
        async with standing(Script(packets=3)) as stand, stand.connect() as one, stand.connect() as two:
            order = random.Random(5)
            ids: dict[str, set[str]] = {"one": set(), "two": set()}
            for name, client in (("one", one), ("two", two)):
                ids[name].add((await client.next())["session"]["id"])
            for turn in range(50):
                name, client = order.choice([("one", one), ("two", two)])
                await client.ask(f"{name} {turn}")
                await client.until("rate_limits.updated")
            for name, client, other in (("one", one, "two"), ("two", two, "one")):
                text = json.dumps(client.events)
                assert f'"{other} ' not in text
                ids[name] |= {e["response"]["id"] for e in client.of("response.created")}
                ids[name] |= {e["item"]["id"] for e in client.of("conversation.item.added")}
            assert not ids["one"] & ids["two"]
            for request in stand.script.requests:
                names = {item.text.split()[0] for item in request.items if item.role == 2}
                assert len(names) == 1

    run(scene)


def test_a_client_that_leaves_in_mid_sentence_frees_everything():
    async def scene() -> None:
        script = Script(packets=1000, pace_s=0.01)
        async with standing(script) as stand:
            async with stand.connect() as client:
                await client.next()
                await client.ask("hello")
                await client.until("response.output_audio.delta")
            async with asyncio.timeout(30):
                while not script.cancelled or not script.released:
                    await asyncio.sleep(0.02)
        assert stand.memory.turns[0].status == "cancelled"
        (saved,) = stand.memory.saved.values()
        assert [item["status"] for item in saved.items] == ["completed", "incomplete"]

    run(scene)


def test_a_session_has_an_end_and_says_so_before():
    async def scene() -> None:
        async with standing(limits=SessionLimits(max_session_ms=700, go_away_ms=400)) as stand, stand.connect() as client:
            session_id = (await client.next())["session"]["id"]
            await client.update(a2={})
            away = await client.until("a2.go_away")
            assert (away["reason"], away["resume_handle"], away["time_left_ms"]) == ("session_limit", session_id, 400)
            assert (await client.until("error"))["error"]["code"] == "session_expired"
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.next()
            assert closed.value.rcvd.reason == "session_limit"

    run(scene)


def _drain(stand: Stand, session: Session) -> None:
    stand.service.drain()


def _delete(stand: Stand, session: Session) -> None:
    stand.service.end("acme", session.identity.session_id, keep="", cause="deleted")


def _revoke(stand: Stand, session: Session) -> None:
    stand.service.withdraw(session.identity.holder, "revoked")


@pytest.mark.parametrize(
    ("end", "cause", "code"),
    [(_drain, "drain", "session_expired"), (_delete, "deleted", "session_expired"), (_revoke, "revoked", "unauthorized")],
)
def test_a_response_that_the_end_of_a_session_cuts_is_done_before_the_close(end, cause, code):
    """It is billed, so the client is told of it; also of one beside the conversation's own."""

    async def scene() -> None:
        async with standing(Script(packets=1000, pace_s=0.01), limits=SessionLimits(go_away_ms=200)) as stand, stand.connect() as client:
            await client.next()
            await client.send("response.create", response={"conversation": "none", "input": []})
            await client.ask("hello")
            while len({event["response_id"] for event in client.of("response.output_audio.delta")}) < 2:  # both cost something by then
                await client.until("response.output_audio.delta")
            (session,) = stand.service.sessions
            end(stand, session)
            await client.until("error")
            done = [event["response"] for event in client.of("response.done")]
            assert len(done) == len(client.of("response.created")) == 2, "the error is the last event"
            for response in done:
                assert response["status"] == response["status_details"]["type"] == "incomplete"
                assert response["status_details"]["error"]["code"] == code == client.of("error")[0]["error"]["code"]
                assert response["usage"]["input_tokens"] == 30
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.next()
            assert closed.value.rcvd and closed.value.rcvd.reason == cause
        assert [turn.status for turn in stand.memory.turns] == ["incomplete", "incomplete"]

    run(scene)


def test_who_is_let_in_while_the_gateway_drains_is_asked_to_go_too():
    async def scene() -> None:
        admission = SlowAdmission()
        async with standing(limits=SessionLimits(go_away_ms=200), admission=admission) as stand:
            opening = asyncio.create_task(_close_reason(stand))
            await admission.asked.wait()
            stand.service.drain()
            admission.answered.set()
            assert await opening == "drain"

    run(scene)


class SlowAdmission(OneKey):
    """Answers when `answered` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answered = asyncio.Event(), asyncio.Event()

    async def authorize(self, socket: WebSocket) -> Principal:
        self.asked.set()
        await self.answered.wait()
        return await super().authorize(socket)


async def _close_reason(stand: Stand) -> str:
    async with stand.connect() as client:
        with pytest.raises(websockets.ConnectionClosed) as closed:
            while True:
                await client.next()
        assert closed.value.rcvd
        return closed.value.rcvd.reason


def test_a_drain_asks_everybody_to_go():
    async def scene() -> None:
        async with standing(limits=SessionLimits(go_away_ms=200)) as stand, stand.connect() as client:
            await client.next()
            await client.update(a2={})
            stand.service.drain()
            assert (await client.until("a2.go_away"))["reason"] == "drain"
            await client.until("error")
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await client.next()
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "drain")

    run(scene)
