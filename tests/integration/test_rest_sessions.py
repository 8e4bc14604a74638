"""`/v1/sessions` as it ships: from create to delete, by page, apart between tenants, repeated and deleted at the same time."""

import asyncio

import httpx
import pytest
from support.rest import check_problem, new_session, pages
from support.servers.gateway import GatewayStand, eventually

from a2serve.contracts.records import AuditRecord
from a2serve.gateway.state import redis_keys, store


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
