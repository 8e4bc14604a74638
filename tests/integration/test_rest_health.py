"""Readiness and status: what is missing is said."""

from pathlib import Path

from support.rest import check_problem, new_session
from support.servers.gateway import GatewayStand, gateway_standing, run


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
