"""`python -m a2serve.gateway` as an operator runs it: ready line, draining on SIGTERM, a bad setting explained in one line."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import websockets
from gateway_stand import WAIT_S, run, scripted
from realtime_stand import Client, Script

from a2serve.gateway.access.tenants import create_key

ROOT = Path(__file__).parents[2]


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    own = {f"A2_GATEWAY_{name}": value for name, value in settings.items()}
    return os.environ | {"A2_TENANTS_FILE": str(tmp_path / "tenants.toml")} | own


def test_it_says_when_it_is_ready_and_lets_sessions_leave(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        avatar, inference = await scripted(Script())
        key, _ = create_key(tmp_path / "tenants.toml", "acme")
        redis = f"redis://127.0.0.1:{valkey_port}/0"
        env = environment(tmp_path, PORT="0", INFERENCE=inference, REDIS_URL=redis, KAFKA_SERVERS="127.0.0.1:9", DRAIN_S="2")
        command = (sys.executable, "-m", "a2serve.gateway")
        gateway = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert gateway.stdout and gateway.stderr
        ready = json.loads(await asyncio.wait_for(gateway.stdout.readline(), WAIT_S))
        url = f"http://127.0.0.1:{ready['port']}"
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT_S) as client:
            assert (await client.get("/readyz")).status_code == 200
            async with websockets.connect(url.replace("http", "ws") + "/v1/realtime", additional_headers=headers) as socket:
                talking = Client(socket)
                await talking.until("session.created")
                await talking.update(a2={})
                gateway.send_signal(signal.SIGTERM)
                away = await talking.until("a2.go_away")
                assert (away["reason"], away["time_left_ms"]) == ("drain", 2000)
                answer = await client.get("/readyz")
                assert (answer.status_code, answer.json()["draining"]) == (503, True)
                refused = await client.get("/v1/realtime")
                assert refused.status_code == 404  # not an upgrade
        assert await asyncio.wait_for(gateway.wait(), WAIT_S) == 0
        lines = [json.loads(line) for line in (await gateway.stderr.read()).decode().splitlines()]
        opened = next(line for line in lines if line["message"] == "draining")
        assert opened["service"] == "a2-gateway" and opened["sessions"] == 1
        assert not any(line["message"] == "GET /readyz" for line in lines), "too often"
        assert any(line["message"] == "GET /v1/realtime" and line["request_id"].startswith("req_") for line in lines)
        await avatar.stop(None)

    run(within)


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    for settings, expected in (({"PORT": "x"}, "A2_GATEWAY_PORT"), ({"PROFILE": "prod"}, "A2_GATEWAY_PROFILE")):
        done = subprocess.run(
            [sys.executable, "-m", "a2serve.gateway"], env=environment(tmp_path, **settings), capture_output=True, text=True, timeout=WAIT_S
        )
        assert done.returncode == 1 and done.stderr.startswith(expected) and done.stderr.count("\n") == 1
    (tmp_path / "tenants.toml").write_text("= =")
    command, env = [sys.executable, "-m", "a2serve.gateway"], environment(tmp_path)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 1 and "tenants.toml" in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
