"""A gateway that is killed while it speaks: what was said is kept, billed once and told; no event number comes twice."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson
from redis import Redis
from support.servers.gateway import bills, eventually, gateway_process, records, run, scripted
from support.servers.realtime import WORDS, Client, Script

from a2serve.contracts.records import SessionRecord, UsageRecord
from a2serve.gateway.state import redis_keys
from a2serve.gateway.tenants import create_key

SPEAKERS = 6


def number(event: dict[str, Any]) -> int:
    return int(event["event_id"].rsplit("_", 1)[1])


async def spoken_to(client: Client, question: str) -> str:
    """In the middle of an answer; returns its id."""
    await client.ask(question)
    created = await client.until("response.created")
    for _ in range(4):
        await client.until("response.output_audio_transcript.delta")
    return created["response"]["id"]


def test_a_kill_in_mid_sentence_loses_nothing(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        avatar, inference = await scripted(Script(packets=400, pace_s=0.05))
        key, _ = create_key(tmp_path / "tenants.toml", "acme")
        stands = [gateway_process(tmp_path, valkey_port, inference, key, LOST_AFTER_S=3, DRAIN_S=1) for _ in range(2)]
        async with stands[0] as first, stands[1] as second, AsyncExitStack() as sockets:
            before = [await sockets.enter_async_context(first.talking()) for _ in range(SPEAKERS + 1)]
            idle, speakers = before[0], before[1:]
            ids = await asyncio.gather(*(spoken_to(client, f"Question {place}") for place, client in enumerate(speakers)))
            await asyncio.sleep(1.0)
            first.running.kill()
            await first.running.wait()
            for client in before:
                await client.gone()
            after = await asyncio.gather(*(learned(second, client, response) for client, response in zip(speakers, ids, strict=True)))
            for client, (again, kept, done) in zip(speakers, after, strict=True):
                assert [event["role"] for event in kept] == ["user", "assistant"]
                said = kept[1]["content"][0]["transcript"].split()
                seen = "".join(event["delta"] for event in client.of("response.output_audio_transcript.delta")).split()
                assert kept[1]["status"] == "incomplete"
                assert len(said) >= 4 and said == (WORDS * 9)[: len(said)], "what was heard stands in the conversation"
                assert len(seen) - len(said) <= 4, "but for the last half second"
                assert done["usage"]["output_token_details"]["text_tokens"] >= 13
                numbers = [number(event) for event in client.events + again]
                assert len(set(numbers)) == len(numbers) and numbers == sorted(numbers)
            await settled(valkey_port, [idle, *speakers], ids)
        await avatar.stop(None)

    run(within)


async def learned(gateway: Any, client: Client, response_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Events that the client receives when it comes back, and the items that are kept."""
    session_id, seen = client.events[0]["session"]["id"], number(client.events[-1])
    async with gateway.talking(f"&resume={session_id}&last_sequence={seen}") as again:
        done = (await again.until("response.done"))["response"]
        assert (done["id"], done["status"], done["status_details"]["error"]["code"]) == (response_id, "incomplete", "connection_lost")
        assert done["output"][0]["id"] in [event["item"]["id"] for event in again.of("conversation.item.done")]
        await again.ask("And now?")  # it goes on
        await again.until("response.output_audio.delta")
        async with gateway.client() as rest:
            kept = (await rest.get(f"/v1/sessions/{session_id}/items")).json()["data"]
        events = list(again.events)
    async with gateway.talking(f"&resume={session_id}&last_sequence={seen}") as third:  # told once, but the items are there
        await third.until("conversation.item.done")
        assert number(third.events[0]) > number(events[-1])
    return events, kept[:2], done


async def settled(port: int, clients: list[Client], ids: list[str]) -> None:
    """Each response of the lost gateway is billed once, and each of its sockets closed."""
    sessions = {client.events[0]["session"]["id"] for client in clients}

    def closed() -> list[SessionRecord]:
        return [record for record in records(port, SessionRecord) if record.event == "closed" and record.cause == "gateway_lost"]

    await eventually(lambda: len(closed()) == len(clients))
    assert {record.session_id for record in closed()} == sessions and all(record.duration_ms > 900 for record in closed()[1:])
    lost = [bill for bill in bills(port) if bill.response_id in ids]
    assert sorted(bill.response_id for bill in lost) == sorted(ids)
    for bill in lost:
        assert bill.input_tokens == 30 and bill.output_text_tokens >= 13
        assert bill.output_audio_ms == 50 * bill.output_text_tokens
    with Redis(port=port) as redis:
        opened = {record.record_id.partition("_")[2] for record in records(port, SessionRecord) if record.event == "opened"}
        await eventually(lambda: opened == {r.record_id.partition("_")[2] for r in records(port, SessionRecord) if r.event == "closed"})
        assert redis.zcard(redis_keys.OPEN) == 0
    times = [record for record in records(port, UsageRecord) if not record.response_id]
    assert len(times) == len({record.record_id for record in times}) == len(opened)


def test_a_turn_by_rest_is_billed_and_kept_too(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        avatar, inference = await scripted(Script(packets=400, pace_s=0.05))
        key, _ = create_key(tmp_path / "tenants.toml", "acme")
        stands = [gateway_process(tmp_path, valkey_port, inference, key, LOST_AFTER_S=3) for _ in range(2)]
        async with stands[0] as first, stands[1] as second, first.client() as rest, second.client() as other:
            session_id = (await rest.post("/v1/sessions", json={"end_user_id": "u1"})).json()["id"]
            async with rest.stream("POST", f"/v1/sessions/{session_id}/turns", json={"text": "Hello"}) as response:
                words = 0
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        words += orjson.loads(line[5:])["type"] == "response.output_audio_transcript.delta"
                    if words == 5:
                        break
                await asyncio.sleep(0.7)
                first.running.kill()
                await first.running.wait()
            bill = (await eventually(lambda: bills(valkey_port)))[0]
            assert (bill.end_user_id, bill.input_tokens) == ("u1", 30) and bill.output_text_tokens >= 17
            kept = (await other.get(f"/v1/sessions/{session_id}/items")).json()["data"]
            assert [(item["role"], item["status"]) for item in kept] == [("user", "completed"), ("assistant", "incomplete")]
        await avatar.stop(None)

    run(within)


def test_a_session_that_is_deleted_leaves_no_words_in_a_checkpoint(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        avatar, inference = await scripted(Script(packets=400, pace_s=0.05))
        key, _ = create_key(tmp_path / "tenants.toml", "acme")
        stands = [gateway_process(tmp_path, valkey_port, inference, key) for _ in range(2)]
        async with stands[0] as first, stands[1] as second, first.talking() as client:
            session_id = client.events[0]["session"]["id"]
            await spoken_to(client, "Hello")
            await asyncio.sleep(1.0)
            first.running.kill()
            await first.running.wait()
            assert b"three four" in in_redis(valkey_port)
            async with second.client() as rest:
                assert (await rest.delete(f"/v1/sessions/{session_id}")).status_code == 204
            assert b"three four" not in in_redis(valkey_port)
        await avatar.stop(None)

    run(within)


def in_redis(port: int) -> bytes:
    """All that stands in hashes and lists."""
    with Redis(port=port) as redis:
        kinds = {name: redis.type(name) for name in redis.scan_iter()}
        hashes = [b" ".join(redis.hvals(name)) for name, kind in kinds.items() if kind == b"hash"]
        return b" ".join([*hashes, *(b" ".join(redis.lrange(name, 0, -1)) for name, kind in kinds.items() if kind == b"list")])
