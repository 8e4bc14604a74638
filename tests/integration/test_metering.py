"""However an answer ends, its usage row says what was made and sent of it, and so does response.done."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
from support.servers.gateway import GatewayStand, bills, eventually, gateway_standing, records, run
from support.servers.realtime import Client, Script

from a2serve.contracts.records import SessionRecord, UsageRecord

MOTION = {"rig": "arkit61", "fps": 30}
Ending = Callable[[GatewayStand, Client], Awaitable[dict[str, Any] | None]]


async def cancelled(made: GatewayStand, client: Client) -> dict[str, Any]:
    await client.send("response.cancel")
    return (await client.until("response.done"))["response"]


async def aborted(made: GatewayStand, client: Client) -> None:
    client.socket.transport.abort()


async def failed(made: GatewayStand, client: Client) -> dict[str, Any]:
    return (await client.until("response.done"))["response"]


@pytest.mark.parametrize("modality", ["text", "audio"])
@pytest.mark.parametrize("end", [cancelled, aborted, failed])
def test_an_answer_that_is_cut_costs_what_was_sent(valkey_port: int, tmp_path: Path, modality: str, end: Ending) -> None:
    script = Script(packets=28, pace_s=0.02)
    if end is failed:
        script.lose_at, script.lost_as = [12], grpc.StatusCode.INTERNAL

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, script) as made, made.talking() as client:
            await client.update(output_modalities=[modality], a2={"motion": MOTION, "binary": False})
            await client.ask("Hello")
            delta = "response.output_text.delta" if modality == "text" else "response.output_audio_transcript.delta"
            words = [(await client.until(delta))["delta"] for _ in range(3)]
            assert len(words) == 3
            done = await end(made, client)
            row = (await eventually(lambda: bills(valkey_port)))[0]
            assert (row.input_tokens, row.cached_tokens) == (30, 10)
            assert 9 <= row.output_text_tokens < 28, "the third word came with the ninth token"
            sent = [event for event in client.events if event["type"] == "a2.motion.delta"]
            if modality == "audio":
                assert row.output_audio_ms == 50 * row.output_text_tokens
                assert row.output_motion_frames >= sum(event["frames"] for event in sent) > 0
                assert abs(row.output_motion_frames - row.output_audio_ms * 30 / 1000) <= 2
            else:
                assert (row.output_audio_ms, row.output_motion_frames) == (0, 0)
            if done:
                usage = done["usage"]
                assert (usage["input_tokens"], usage["output_token_details"]["text_tokens"]) == (30, row.output_text_tokens)
                assert usage["output_token_details"]["audio_tokens"] == row.output_audio_ms // 50

    run(within)


def test_a_stream_that_is_closed_costs_what_was_sent(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        script = Script(packets=200, pace_s=0.02)
        async with gateway_standing(tmp_path, valkey_port, script) as made, made.client() as rest:
            session_id = (await rest.post("/v1/sessions", json={"end_user_id": "u1"})).json()["id"]
            async with rest.stream("POST", f"/v1/sessions/{session_id}/turns", json={"text": "Hello"}) as response:
                deltas = 0
                async for line in response.aiter_lines():
                    deltas += line.startswith("data:") and orjson.loads(line[5:])["type"] == "response.output_audio.delta"
                    if deltas == 5:
                        break
            row = (await eventually(lambda: bills(valkey_port)))[0]
            assert (row.input_tokens, row.end_user_id) == (30, "u1")
            assert 5 <= row.output_text_tokens < 200 and row.output_audio_ms == 50 * row.output_text_tokens

    run(within)


def test_the_time_of_a_socket_is_counted_once_and_who_is_refused_pays_nothing(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, Script(refuse=True)) as made:
            async with made.talking() as client:
                await client.ask("Hello")
                assert (await client.until("response.done"))["response"]["status"] == "failed"
                await asyncio.sleep(0.2)
            opened, closed = await eventually(lambda: len(found := records(valkey_port, SessionRecord)) == 2 and found)
            assert (opened.event, closed.event) == ("opened", "closed")
            (row,) = records(valkey_port, UsageRecord)
            assert (row.response_id, row.session_ms, row.session_id) == ("", closed.duration_ms, closed.session_id)
            assert row.session_ms >= 200

    run(within)


def test_the_bill_and_the_times_name_the_model_that_answered(valkey_port: int, tmp_path: Path) -> None:
    """Not the one that was there when the socket was opened: an upgrade came between."""

    async def within() -> None:
        script = Script()
        async with gateway_standing(tmp_path, valkey_port, script) as made, made.talking() as client:
            for script.revision in ("", "newer"):
                await client.ask("Hello")
                await client.until("response.done")
            rows = await eventually(lambda: found if len(found := bills(valkey_port)) == 2 else None)
            assert [row.model for row in rows] == ["scripted", "newer"]
            spoke = [made.parts.registry.get_sample_value("a2_gateway_first_packet_seconds_count", {"version": row.model}) for row in rows]
            assert spoke == [1, 1]

    run(within)
