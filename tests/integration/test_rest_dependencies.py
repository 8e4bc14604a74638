"""Routes that need a key: every error is a problem, limits count for each tenant alone, and what is done is audited."""

import json
from typing import Any

from openai.types.realtime import ClientSecretCreateResponse
from support.rest import check_problem, new_session
from support.servers.gateway import GatewayStand, eventually, talking

from a2serve.gateway.state import redis_keys
from a2serve.gateway.tenants import revoke_key


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
