"""Reach of a client secret: its own sessions and its end user's; how many at once; whose the usage is. Real Valkey, two gateways."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, cast

import pytest
import websockets
from redis.exceptions import ConnectionError as RedisConnectionError
from support.secrets.sockets import answered, opened, refused, session_of
from support.servers.gateway import GatewayStand, eventually, gateway_standing

from a2serve.contracts.problems import Problem
from a2serve.contracts.records import TOPIC_USAGE, AuditRecord
from a2serve.gateway.personas.bodies import PersonaBody
from a2serve.gateway.state import redis_keys
from a2serve.gateway.tenants import create_key

NEVER_WAS = "sess_0123456789abcdef0123"


async def minted(made: GatewayStand, session: dict[str, Any] | None = None, **bound: Any) -> str:
    async with made.client() as rest:
        response = await rest.post("/v1/realtime/client_secrets", json={"session": session or {}, "a2": bound})
        assert response.status_code == 200, response.text
        return response.json()["value"]


def without_ids(refusal: tuple[dict[str, Any], int, str]) -> tuple[Any, ...]:
    return {key: value for key, value in refusal[0].items() if key != "event_id"}, *refusal[1:]


def test_a_secret_reaches_its_own_sessions_and_no_other(stand) -> None:
    async def test(made: GatewayStand) -> None:
        of_a, of_b = await minted(made, end_user_id="a"), await minted(made, end_user_id="b")
        nobodys, again_a = await minted(made), await minted(made, end_user_id="a")
        async with opened(made, of_a) as a, made.client() as rest:
            theirs = await session_of(a)
            await answered(a, "My PIN is 4471.")
            never = [without_ids(await refused(made, secret, f"&resume={NEVER_WAS}")) for secret in (of_b, nobodys)]
            for secret, as_never in zip((of_b, nobodys), never, strict=True):
                for query in (f"&resume={theirs}", f"&resume={theirs}&last_sequence=1"):
                    refusal = await refused(made, secret, query)
                    assert without_ids(refusal) == as_never and refusal[1:] == (1008, "not_found")
            await answered(a, "Still here?")  # nobody closed it
            for secret in (of_a, of_b):  # REST is for keys: own, foreign and none are refused alike
                async with made.client(key=secret) as page:
                    for session_id in (theirs, NEVER_WAS):
                        path = f"/v1/sessions/{session_id}"
                        responses = [await page.get(path), await page.delete(path), await page.get(f"{path}/items")]
                        responses.append(await page.post(f"{path}/turns", json={"text": "Hi"}))
                        assert {response.status_code for response in responses} == {403}
            await eventually(lambda: _items(rest, theirs, 4))
            async with opened(made, again_a, f"&resume={theirs}&last_sequence=1") as back:  # another secret of the same person
                assert await session_of(back) == theirs
                assert "My PIN is 4471." in json.dumps(await back.until("conversation.item.added"))
            async with opened(made, made.keys["acme"], f"&resume={theirs}") as server:
                assert await session_of(server) == theirs

    stand(test)


async def _items(rest: Any, session_id: str, count: int) -> bool:
    return len((await rest.get(f"/v1/sessions/{session_id}/items")).json().get("data", [])) == count


def test_what_is_fixed_holds_for_a_resumed_session(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as rest:
            loose = {"instructions": "You are the ADMIN.", "tools": [{"type": "function", "name": "wipe"}], "a2": {"persona": ""}}
            made_by_key = (await rest.post("/v1/sessions", json={"session": loose, "end_user_id": "a"})).json()["id"]
        cook = {"instructions": "You are a cook.", "tools": [], "a2": {"persona": "ada"}}
        async with opened(made, await minted(made, cook, end_user_id="a"), f"&resume={made_by_key}") as client:
            settings = (await client.until("session.created"))["session"]
            assert (settings["instructions"], settings["tools"], settings["a2"]["persona"]) == ("You are a cook.", [], "ada")
            await answered(client, "Hi")
        assert (made.script.requests[-1].instructions, made.script.requests[-1].tools_json) == ("You are a cook.", "")

    stand(test)


def test_a_secret_has_so_many_sessions_at_once(stand) -> None:
    async def test(made: GatewayStand) -> None:
        one, two = await minted(made), await minted(made, max_sessions=2)
        async with opened(made, one) as client, opened(made, two) as first, opened(made, two) as second:
            own = await session_of(client)
            await session_of(first), await session_of(second)
            for secret in (one, two):
                refusal = await refused(made, secret)
                assert refusal[0]["error"]["code"] == "too_many_sessions" and refusal[1:] == (1013, "too_many_sessions")
            async with opened(made, one, f"&resume={own}") as back:  # its own session counts once
                assert await session_of(back) == own
                async with opened(made, await minted(made)) as other:
                    await session_of(other)
        await eventually(lambda: _nothing_live(made))
        async with opened(made, one) as client:
            await session_of(client)

    stand(test)


async def _nothing_live(made: GatewayStand) -> bool:
    left = [key async for key in made.parts.redis.scan_iter(f"{redis_keys.PREFIX}:acme:live*")]
    return await made.parts.limits.live_sessions("acme") == 0 and not left


def test_a_single_use_secret_opens_one_session_and_resumes_it(stand) -> None:
    async def test(made: GatewayStand) -> None:
        secret = await minted(made, single_use=True, max_sessions=5)
        async with opened(made, secret) as client:
            own = await session_of(client)
            assert (await refused(made, secret))[1:] == (403, "forbidden")
        async with opened(made, secret, f"&resume={own}") as client:
            assert await session_of(client) == own
        assert (await refused(made, secret))[1:] == (403, "forbidden")
        racing = await minted(made, single_use=True, max_sessions=5)

        async def one() -> bool:
            try:
                async with opened(made, racing) as client:
                    await session_of(client)
                    await asyncio.sleep(1)
                    return True
            except websockets.InvalidStatus:
                return False

        assert sorted(await asyncio.gather(*(one() for _ in range(5)))) == [False] * 4 + [True]
        redis, digest = cast(Any, made.parts.redis), hashlib.sha256(racing.encode()).hexdigest()
        key, used = redis_keys.client_secret("acme", digest), redis_keys.used("acme", f"cs_{digest}")
        assert await redis.pttl(used) > await redis.pttl(key) + 1000, "it would open another session in its last second"

    stand(test)


def test_one_secret_does_not_use_up_the_requests_of_its_tenant(stand) -> None:
    async def test(made: GatewayStand) -> None:
        text = made.settings.tenants_file.read_text()
        made.settings.tenants_file.write_text(text.replace("burst_requests = 60", "burst_requests = 200"))
        async with made.client(key=await minted(made)) as page, made.client() as server:
            responses = [await page.get("/v1/avatars") for _ in range(40)]
            assert [response.status_code for response in responses[:30]] == [200] * 30
            late = responses[-1]
            assert (late.status_code, late.json()["code"]) == (429, "rate_limited") and "client secret" in late.json()["detail"]
            assert (await server.get("/v1/avatars")).status_code == 200

    stand(test)


def _bound_to(made: GatewayStand, most: int) -> None:
    text = made.settings.tenants_file.read_text().replace("[tenants.acme]\nmax_sessions = 20", f"[tenants.acme]\nmax_sessions = {most}")
    made.settings.tenants_file.write_text(text.replace("burst_requests = 60", "burst_requests = 1000"))


def test_ones_own_session_at_the_quota(stand, valkey_port: int, tmp_path: Path) -> None:
    """Takeover and turn of an open session work at the quota; a new one does not; what the old socket gives back is not the new one's."""

    async def test(made: GatewayStand) -> None:
        _bound_to(made, 3)
        (tmp_path / "other").mkdir()
        key, live = made.keys["acme"], made.parts.limits.live_sessions
        async with gateway_standing(tmp_path / "other", valkey_port) as other, AsyncExitStack() as held, made.client() as rest:
            _bound_to(other, 3)
            clients = [await held.enter_async_context(opened(made, key)) for _ in range(3)]
            ids = [await session_of(client) for client in clients]
            for session_id in ids:
                await eventually(lambda session_id=session_id: _items(rest, session_id, 0))
            assert (await refused(made, key))[1:] == (429, "too_many_sessions")
            async with opened(other, other.keys["acme"], f"&resume={ids[0]}") as back:
                assert await session_of(back) == ids[0]
                await eventually(lambda: len(made.app.state.realtime.sessions) == 2)  # the old socket was taken over and is gone
                await asyncio.sleep(0.5)
                assert await live("acme") == 3
                assert (await refused(made, key))[1:] == (429, "too_many_sessions")
                turn = await rest.post(f"/v1/sessions/{ids[1]}/turns", json={"text": "Hi", "stream": False})
                assert turn.status_code == 200, turn.text
                new = (await rest.post("/v1/sessions", json={})).json()["id"]
                await eventually(lambda: _count_is(live, 2))  # the turn ended, and with it the session's place
                assert (await rest.post(f"/v1/sessions/{new}/turns", json={"text": "Hi", "stream": False})).status_code == 200

    stand(test)


async def _count_is(live: Callable[[str], Awaitable[int]], count: int) -> bool:
    return await live("acme") == count


def test_after_a_crash_everybody_is_back_at_once(stand) -> None:
    """At the quota, with leases that nobody gives back."""

    async def test(made: GatewayStand) -> None:
        _bound_to(made, 10)
        key, redis = made.keys["acme"], made.parts.redis
        async with AsyncExitStack() as held:
            clients = [await held.enter_async_context(opened(made, key)) for _ in range(10)]
            ids = [await session_of(client) for client in clients]
            async with made.client() as rest:
                for session_id in ids:
                    await eventually(lambda session_id=session_id: _items(rest, session_id, 0))
            names = (redis_keys.live("acme"), redis_keys.holders("acme"))
            dead = [await redis.dump(name) for name in names]
        await eventually(lambda: _nothing_live(made))
        for name, kept in zip(names, dead, strict=True):  # as a gateway leaves them that was killed
            await redis.restore(name, 30_000, kept)
        assert (await refused(made, key))[1:] == (429, "too_many_sessions")
        async with AsyncExitStack() as held:
            for session_id in ids:  # each at its first try
                client = await held.enter_async_context(opened(made, key, f"&resume={session_id}"))
                assert await session_of(client) == session_id
            assert await made.parts.limits.live_sessions("acme") == 10
            assert (await refused(made, key))[1:] == (429, "too_many_sessions")

    stand(test)


def test_a_hundred_sockets_at_once_are_as_many_as_allowed(stand, valkey_port: int, tmp_path: Path) -> None:
    async def test(made: GatewayStand) -> None:
        _bound_to(made, 10)
        (tmp_path / "other").mkdir()
        async with gateway_standing(tmp_path / "other", valkey_port) as other:
            _bound_to(other, 10)
            done = asyncio.Event()

            async def one(gateway: GatewayStand) -> bool:
                try:
                    async with opened(gateway, gateway.keys["acme"]) as client:
                        await session_of(client)
                        await done.wait()
                        return True
                except websockets.InvalidStatus as refusal:
                    assert refusal.response.status_code == 429
                    return False

            tries = [asyncio.create_task(one(gateway)) for gateway in (made, other) * 50]
            await eventually(lambda: sum(task.done() for task in tries) >= 90)
            assert await made.parts.limits.live_sessions("acme") == 10
            done.set()
            assert Counter(await asyncio.gather(*tries)) == {False: 90, True: 10}

    stand(test)


async def _usage_by_user(made: GatewayStand) -> tuple[Counter[str], Counter[str]]:
    """How many responses and how many sockets are billed to whom; a record may be written twice."""
    entries = await made.parts.redis.xrange(redis_keys.OUTBOX)
    rows = [json.loads(fields[b"value"]) for _, fields in entries if fields[b"topic"] == TOPIC_USAGE.encode()]
    unique = {row["record_id"]: row for row in rows}.values()
    of_sockets = Counter(row["end_user_id"] for row in unique if not row["response_id"])
    return Counter(row["end_user_id"] for row in unique if row["response_id"]), of_sockets


def test_usage_is_the_end_users_whichever_way_they_come(stand) -> None:
    """REST -> socket -> REST, and a secret's socket -> REST -> resume by key: every row counts for who the session belongs to."""

    async def test(made: GatewayStand) -> None:
        key, key_id = made.keys["acme"], made.keys["acme"].split("_")[1]
        async with made.client() as rest:

            async def turn(session_id: str) -> None:
                response = await rest.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi", "stream": False})
                assert response.status_code == 200, response.text

            async def kept(session_id: str, count: int) -> None:
                await eventually(lambda: _items(rest, session_id, count))
                head = await made.parts.sessions.head("acme", session_id)
                assert head and head.key_id == key_id
                assert (await rest.get(f"/v1/sessions/{session_id}")).json()["end_user_id"] == head.end_user_id

            of_c = (await rest.post("/v1/sessions", json={"end_user_id": "c"})).json()["id"]
            async with opened(made, key, f"&resume={of_c}") as client:
                await answered(client, "Hi")
                await client.update(instructions="Be kind.")  # a save of everything
                await kept(of_c, 2)
            await turn(of_c)
            await kept(of_c, 4)
            secret = await minted(made, end_user_id="d")
            async with opened(made, secret) as client:
                of_d = await session_of(client)
                await answered(client, "Hi")
                await kept(of_d, 2)
                await made.parts.redis.delete(redis_keys.session("acme", of_d), redis_keys.conversation("acme", of_d))  # it lapsed
                await answered(client, "Hi")
                await kept(of_d, 4)
            await turn(of_d)
            for credential, count in ((key, 8), (secret, 10)):
                async with opened(made, credential, f"&resume={of_d}") as client:
                    await answered(client, "Hi")
                    await kept(of_d, count)
            async with opened(made, key) as client:
                await answered(client, "Hi")
        with suppress(TimeoutError):
            await eventually(lambda: _has_rows(made, 13), 20)
        assert await _usage_by_user(made) == ({"c": 2, "d": 5, "": 1}, {"c": 1, "d": 3, "": 1})

    stand(test)


async def _has_rows(made: GatewayStand, count: int) -> bool:
    return sum(counted.total() for counted in await _usage_by_user(made)) == count


def test_a_repeat_of_a_mint_gets_the_first_secret_which_is_kept_nowhere(stand) -> None:
    async def test(made: GatewayStand) -> None:
        path, named = "/v1/realtime/client_secrets", {"idempotency-key": "k"}
        async with made.client() as rest:
            responses = await asyncio.gather(*(rest.post(path, json={}, headers=named) for _ in range(8)))
            assert {response.status_code for response in responses} <= {200, 409}
            first, again = [await rest.post(path, json={}, headers=named) for _ in range(2)]
            assert first.json() == again.json() and again.headers["idempotency-replayed"] == "true"
            assert {response.json()["value"] for response in responses if response.status_code == 200} == {first.json()["value"]}
            assert len([key async for key in made.parts.redis.scan_iter(f"{redis_keys.PREFIX}:acme:secret:*")]) == 1
            other_body = await rest.post(path, json={"a2": {"end_user_id": "x"}}, headers=named)
            assert (other_body.status_code, other_body.json()["code"]) == (409, "conflict")
            assert (await rest.post(path, json={}, headers={"idempotency-key": "l"})).json()["value"] != first.json()["value"]
        second_key, _ = create_key(made.settings.tenants_file, "acme")
        async with made.client(key=second_key) as other:
            assert (await other.post(path, json={}, headers=named)).status_code == 409
        secret = first.json()["value"]
        async with opened(made, secret) as client:
            await session_of(client)
        async for name in made.parts.redis.scan_iter("*"):
            assert secret.encode() not in (await made.parts.redis.dump(name) or b"") and secret.encode() not in name

    stand(test)


def test_of_parallel_creates_of_a_persona_one_wins(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with made.client() as rest:
            for name in ("a", "b", "c"):
                bodies = [{"name": name, "instructions": f"You are number {number}."} for number in range(8)]
                responses = await asyncio.gather(*(rest.post("/v1/personas", json=body) for body in bodies))
                assert sorted(response.status_code for response in responses) == [201] + [409] * 7
                (won,) = [response.json() for response in responses if response.status_code == 201]
                found = await made.parts.personas.find("acme", name)
                assert found and found.instructions == won["instructions"]
        entries = await made.parts.redis.xrange(redis_keys.OUTBOX)
        audits = [json.loads(fields[b"value"]) for _, fields in entries if fields[b"topic"] == b"a2.audit"]
        assert sorted(audit["target"] for audit in audits if audit["action"] == "persona.create") == ["a", "b", "c"]

    stand(test)


def test_of_parallel_deletes_of_a_persona_one_wins(stand) -> None:
    """Else each of them would write that it deleted it."""

    async def test(made: GatewayStand) -> None:
        personas, record = made.parts.personas, AuditRecord(tenant="acme", actor="k", action="persona.delete", target="a")
        for _ in range(5):
            await personas.create("acme", PersonaBody(name="a", instructions="x"))
            await made.parts.redis.delete(redis_keys.OUTBOX)
            responses = await asyncio.gather(*(personas.delete("acme", "a", record) for _ in range(8)), return_exceptions=True)
            assert [type(response) for response in responses if response] == [Problem] * 7
            assert await made.parts.redis.xlen(redis_keys.OUTBOX) == 1

    stand(test)


def test_a_persona_of_ones_own_speaks_while_redis_is_away(stand, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: Any) -> None:
        raise RedisConnectionError

    async def test(made: GatewayStand) -> None:
        async with made.client() as rest:
            await rest.post("/v1/personas", json={"name": "concierge", "instructions": "You are a concierge."})
        async with opened(made, made.keys["acme"]) as client:
            await session_of(client)
            await client.update(a2={"persona": "concierge"})
            for _ in range(2):
                await client.ask("Hi")
                assert (await client.until("response.done"))["response"]["status"] == "completed"
                monkeypatch.setattr(made.parts.personas, "find", down)
        assert [asked.instructions for asked in made.script.requests] == ["You are a concierge."] * 2

    stand(test)


def test_a_repeat_after_a_delete_makes_a_new_session(stand) -> None:
    """The stored response is forgotten with the session: the repeat is a first request again, and the session that it names is there."""

    async def test(made: GatewayStand) -> None:
        async with made.client() as rest:
            first, again = [(await rest.post("/v1/sessions", json={}, headers={"idempotency-key": "k"})).json()["id"] for _ in range(2)]
            assert first == again and (await rest.delete(f"/v1/sessions/{first}")).status_code == 204
            third = await rest.post("/v1/sessions", json={}, headers={"idempotency-key": "k"})
            assert third.status_code == 201 and third.json()["id"] != first
            assert (await rest.get(f"/v1/sessions/{third.json()['id']}")).status_code == 200

    stand(test)
