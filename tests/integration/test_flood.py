"""One client that sends as fast as it can: everything is done, it is not called slow, others are served in between."""

import asyncio
import base64
import json
from pathlib import Path

from redis import Redis
from support.servers.gateway import bills, eventually, gateway_standing, records, run
from support.servers.realtime import Client, Script

from a2serve.contracts.records import SessionRecord, TurnRecord

TEXT = "x" * 1000


def item(text: str = TEXT) -> str:
    body = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return json.dumps({"type": "conversation.item.create", "item": body})


async def flood(client: Client, frames: list[str]) -> None:
    for frame in frames:
        await client.socket.send(frame)


def test_a_thousand_items_are_kept_and_each_is_written_once(valkey_port: int, tmp_path: Path) -> None:
    count = 1000

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, Script(packets=2)) as made, made.talking(tenant="globex") as neighbour:
            with Redis(port=valkey_port) as redis:
                before = redis.info("stats")["total_net_input_bytes"]
                async with made.talking() as client:
                    session_id = client.events[0]["session"]["id"]
                    sending = asyncio.create_task(flood(client, [item()] * count))
                    reading = asyncio.create_task(read(client, "conversation.item.done", count))
                    served = 0
                    while not reading.done():
                        await neighbour.ask("Hello")
                        await neighbour.until("response.done")
                        served += not reading.done()
                    await asyncio.gather(sending, reading)
                    assert served, "nobody else was served meanwhile"
                written = redis.info("stats")["total_net_input_bytes"] - before
            assert written < 10 * count * len(TEXT), "each item once, and what the neighbour says; all of them each time are 500 times that"
            async with made.client() as rest:
                kept = (await rest.get(f"/v1/sessions/{session_id}/items?limit=1000")).json()["data"]
            assert [entry["id"] for entry in kept] == [event["item"]["id"] for event in client.of("conversation.item.done")]
            async with made.talking(f"&resume={session_id}&last_sequence=1") as client:
                await read(client, "conversation.item.done", count)

    run(within)


async def read(client: Client, kind: str, count: int) -> None:
    while count:
        count -= (await client.next())["type"] == kind


def test_who_reads_is_not_slow_however_much_it_asks_for(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, Script(packets=2)) as made, made.talking() as client:
            sending = asyncio.create_task(flood(client, ['{"type": "nonsense"}'] * 10_000))
            await read(client, "error", 10_000)
            await sending
            large = "y" * (7 << 20)
            await client.socket.send(item(large))
            done = await client.until("conversation.item.done")
            assert done["item"]["content"][0]["text"] == large

    run(within)


def test_responses_that_are_cut_at_once_are_no_records(valkey_port: int, tmp_path: Path) -> None:
    """Each pair was two rows in SQL and no request of the rate limit."""
    pairs = 100

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, Script(packets=2)) as made:
            async with made.talking() as client:
                await flood(client, ['{"type": "response.create"}', '{"type": "response.cancel"}'] * pairs)
                await read(client, "response.done", pairs)
            assert await eventually(lambda: [r for r in records(valkey_port, SessionRecord) if r.event == "closed"])
            most = len(made.script.requests) + 5  # of those that the model saw, and of some that were counted meanwhile
            assert len(records(valkey_port, TurnRecord)) <= most and len(bills(valkey_port)) <= most

    run(within)


def test_sound_that_waits_for_its_words_is_bounded(valkey_port: int, tmp_path: Path) -> None:
    """8 MiB of G.711 are 36 MB of sound, as many of them as a client cared to send."""
    sound = base64.b64encode(bytes(2_500_000)).decode()  # 312 s
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": sound}]}

    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, Script(packets=2)) as made, made.talking() as client:
            phone = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": None}}}
            await client.socket.send(json.dumps({"type": "session.update", "session": phone}))
            await client.until("session.updated")
            await client.socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
            assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_full"
            assert not made.script.listens

    run(within)
