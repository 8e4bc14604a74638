"""A tenant's storage has bounds: sessions, bytes, items and bytes of a conversation, responses to be repeated."""

import asyncio
from pathlib import Path

import pytest
import websockets
from redis import Redis
from support.servers.gateway import GatewayStand, gateway_standing, run
from support.servers.realtime import Script

from a2serve.gateway.state import redis_keys

FULL = (507, "storage_full")


def limit(made: GatewayStand, **limits: int) -> None:
    """Changes the limits of tenant acme."""
    file, (start, rest) = made.settings.tenants_file, made.settings.tenants_file.read_text().split("[tenants.acme]\n")
    kept = [line for line in rest.splitlines() if line.split(" = ")[0] not in limits]
    file.write_text("\n".join([start, "[tenants.acme]", *(f"{name} = {value}" for name, value in limits.items()), *kept, ""]))


def total(port: int) -> int:
    with Redis(port=port) as redis:
        return int(redis.hget(redis_keys.stored_sizes("acme"), "total") or 0)


def test_sessions_of_a_tenant(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        standing = gateway_standing(tmp_path, valkey_port, Script(packets=2))
        async with standing as made, made.client() as rest, made.client("globex") as other:
            limit(made, stored_sessions=3)
            ids = [(await rest.post("/v1/sessions", json={})).json()["id"] for _ in range(2)]
            async with made.talking() as client:  # the third
                await client.ask("Hello")
                await client.until("response.done")
                refused = await rest.post("/v1/sessions", json={})
                assert (refused.status_code, refused.json()["code"]) == FULL
                with pytest.raises(websockets.InvalidStatus) as response:
                    async with made.talking():
                        pass
                assert response.value.response.status_code == 507
                await client.ask("Those that are there go on")
                await client.until("response.done")
                turn = await rest.post(f"/v1/sessions/{ids[0]}/turns", json={"text": "This one, too", "stream": False})
                assert turn.status_code == 200
                assert (await other.post("/v1/sessions", json={})).status_code == 201, "another tenant has room"
                assert (await rest.delete(f"/v1/sessions/{ids[1]}")).status_code == 204
                assert (await rest.post("/v1/sessions", json={})).status_code == 201

    run(within)


def test_bytes_of_a_tenant(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, Script(packets=2)) as made, made.client() as rest:
            limit(made, stored_bytes=100_000)
            large = {"session": {"instructions": "x" * 30_000}}
            responses = [await rest.post("/v1/sessions", json=large, headers={"idempotency-key": f"k{n}"}) for n in range(4)]
            assert [response.status_code for response in responses] == [201, 201, 507, 507], "the answer to be repeated counts, too"
            assert total(valkey_port) <= 100_000
            assert (await rest.post("/v1/sessions", json=large, headers={"idempotency-key": "k0"})).json() == responses[0].json()
            repeated = await rest.post("/v1/sessions", json=large, headers={"idempotency-key": "k1"})
            assert repeated.status_code == 409 and responses[1].json()["id"] in repeated.json()["detail"], "no room for the answer itself"
            for response in responses[:2]:
                assert (await rest.delete(f"/v1/sessions/{response.json()['id']}")).status_code == 204
            async with made.talking() as client:
                codes = []
                for number in range(12):
                    content = [{"type": "input_text", "text": "y" * 10_000}]
                    item = {"type": "message", "role": "user", "id": f"i{number}", "content": content}
                    await client.send("conversation.item.create", item=item)
                    response = await client.until("conversation.item.done", "error")
                    codes.append(response.get("error", {}).get("code", ""))
                    await asyncio.sleep(0.1)  # it is written
                assert codes[0] == "" and codes[-1] == "storage_full"
                await client.send("response.create")
                assert (await client.until("response.done"))["response"]["status"] == "completed", "who is there is answered"
                assert total(valkey_port) <= 110_000 + 2_000

    run(within)


def test_a_conversation(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        bounds = {"conversation_items": 5, "conversation_bytes": 2000}
        async with gateway_standing(tmp_path, valkey_port, Script(packets=2), **bounds) as made, made.talking() as client:
            codes = []
            for number, size in enumerate([900, 900, 300, 10, 10, 10, 10]):
                content = [{"type": "input_text", "text": "é" * (size // 2)}]
                item = {"type": "message", "role": "user", "id": f"i{number}", "content": content}
                await client.send("conversation.item.create", item=item)
                codes.append((await client.until("conversation.item.done", "error")).get("error", {}).get("code", ""))
            assert codes == ["", "", "conversation_full", "", "", "", "conversation_full"]
            await client.send("conversation.item.delete", item_id="i0")
            await client.until("conversation.item.deleted")
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "x" * 900}]}
            await client.send("conversation.item.create", item=item)
            await client.until("conversation.item.done")

    run(within)


def test_what_lapses_is_given_back(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port) as made, made.client() as rest:
            large = {"session": {"instructions": "x" * 30_000}}
            await rest.post("/v1/sessions", json=large, headers={"idempotency-key": "k"})
            with Redis(port=valkey_port) as redis:
                assert total(valkey_port) > 60_000
                for key in (redis_keys.stored_sessions("acme"), redis_keys.stored_responses("acme")):
                    redis.zadd(key, dict.fromkeys(redis.zrange(key, 0, -1), 1))  # their time is over
                await rest.post("/v1/sessions", json={})
                assert total(valkey_port) < 5_000
                assert redis.hlen(redis_keys.stored_sizes("acme")) == 2  # the new one, and the total

    run(within)


def test_a_large_answer_is_not_kept_twice(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port, body_limit_bytes=12 << 20) as made, made.client() as rest:
            large, key = {"session": {"instructions": "x" * (3 << 20)}}, {"idempotency-key": "one"}
            session = (await rest.post("/v1/sessions", json=large, headers=key)).json()
            with Redis(port=valkey_port) as redis:
                kept = sum(redis.memory_usage(name) for name in redis.keys(f"{redis_keys.PREFIX}:acme:*"))
            assert kept < 1.5 * (3 << 20)
            repeated = await rest.post("/v1/sessions", json=large, headers=key)
            assert repeated.status_code == 409 and f"/v1/sessions/{session['id']}" in repeated.json()["detail"]
            assert repeated.headers["content-type"] == "application/problem+json"

    run(within)
