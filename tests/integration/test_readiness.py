"""Readiness: a gateway that was ready stays so while Redis or the model is away; what they are is told elsewhere."""

import os
import signal
from pathlib import Path

import websockets
from support.servers.gateway import GatewayStand, eventually, free_port, gateway_standing, process, run, valkey_command
from support.servers.realtime import Client, Script


async def gone(made: GatewayStand, name: str) -> bool:
    async with made.client() as client:
        return (await client.get("/statusz")).json()[name] != "ok"


def test_an_outage_of_redis_takes_no_gateway_out_and_an_open_socket_answers(tmp_path: Path) -> None:
    port = free_port()

    async def within(valkey: int) -> None:
        async with gateway_standing(tmp_path, port, Script()) as made, made.client() as client:
            assert (await client.get("/readyz")).json() == {"ready": True, "draining": False, "redis": "ok", "inference": "ok"}
            headers = {"authorization": f"Bearer {made.keys['acme']}"}
            assert (await client.post("/v1/personas", json={"name": "maid", "instructions": "Be quick."})).status_code == 201
            async with websockets.connect(made.socket_url, additional_headers=headers) as socket:
                talking = Client(socket)
                await talking.until("session.created")
                await talking.update(a2={"persona": "maid"})
                await talking.ask("Hello")
                await talking.until("response.done")
                os.kill(valkey, signal.SIGSTOP)
                assert await eventually(lambda: gone(made, "redis"))
                response = await client.get("/readyz")
                assert (response.status_code, response.json()["redis"].split()[0]) == (200, "unreachable")
                status = await client.get("/statusz")
                assert (status.status_code, status.json()["sockets"], status.json()["inference"]) == (200, 1, "ok")
                await talking.ask("Hello")  # with a persona of the tenant's own, which Redis holds
                assert (await talking.until("response.done"))["response"]["status"] == "completed"
                assert made.script.requests[-1].instructions == "Be quick."
                refused = await client.post("/v1/sessions", json={})
                assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
                numbers = (await client.get("/metrics")).text
                assert 'a2_gateway_dependency_up{dependency="redis"} 0.0' in numbers
                assert 'a2_gateway_dependency_up{dependency="inference"} 1.0' in numbers
                assert "a2_gateway_loop_lag_seconds_count" in numbers and "a2_gateway_sessions 1.0" in numbers
                os.kill(valkey, signal.SIGCONT)

    with process(valkey_command(port, tmp_path), port, tmp_path / "valkey.log") as valkey:
        run(lambda: within(valkey.pid))


def test_a_model_that_is_gone_takes_no_gateway_out(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        async with gateway_standing(tmp_path, valkey_port) as made, made.client() as client:
            assert (await client.get("/readyz")).status_code == 200
            await made.avatar.stop(None)
            assert await eventually(lambda: gone(made, "inference"))
            assert (await client.get("/readyz")).status_code == 200
            session_id = (await client.post("/v1/sessions", json={})).json()["id"]
            refused = await client.post(f"/v1/sessions/{session_id}/turns", json={"text": "Hi"})
            assert (refused.status_code, refused.json()["code"]) == (503, "inference_unavailable")
            assert int(refused.headers["retry-after"]) > 0

    run(within)


def test_not_before_all_was_reached_once(tmp_path: Path) -> None:
    port = free_port()

    async def within() -> None:
        async with gateway_standing(tmp_path, port) as made, made.client() as client:
            response = await client.get("/readyz")
            assert (response.status_code, response.json()["ready"]) == (503, False) and response.headers["retry-after"] == "2"
            with process(valkey_command(port, tmp_path), port, tmp_path / "valkey.log"):
                assert (await client.get("/readyz")).status_code == 200

    run(within)
