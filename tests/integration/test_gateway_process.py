"""`python -m a2serve.gateway` as an operator runs it: ready line, draining on SIGTERM, a bad setting explained in one line."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import websockets
from support.servers.gateway import WAIT_S, run, scripted
from support.servers.realtime import Client, Script

from a2serve.gateway.request_context import log_id
from a2serve.gateway.tenants import create_key

ROOT = Path(__file__).parents[2]


def environment(tmp_path: Path, **settings: str) -> dict[str, str]:
    own = {f"A2_GATEWAY_{name}": value for name, value in settings.items()}
    return os.environ | {"A2_TENANTS_FILE": str(tmp_path / "tenants.toml")} | own


def test_it_says_when_it_is_ready_and_lets_sessions_leave(valkey_port: int, tmp_path: Path) -> None:
    async def within() -> None:
        avatar, inference = await scripted(Script(packets=1000, pace_s=0.01))
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
                session_id = (await talking.until("session.created"))["session"]["id"]
                await talking.update(a2={})
                for path in ("", "/items", f"/nothing/{session_id}"):
                    await client.get(f"/v1/sessions/{session_id}{path}", headers=headers)
                resumed = url.replace("http", "ws") + f"/v1/realtime?resume={session_id}"
                async with websockets.connect(resumed, additional_headers=headers) as socket_again:
                    talking = Client(socket_again)
                    await talking.until("session.created")
                    await _drained(gateway, talking, client)
        assert await asyncio.wait_for(gateway.wait(), WAIT_S) == 0
        printed = (await gateway.stderr.read()).decode()
        assert session_id not in printed, "who reads logs must not find sessions there"
        lines = [json.loads(line) for line in printed.splitlines()]
        of_session = [line["message"] for line in lines if line.get("session") == log_id(session_id)]
        assert {"GET /v1/sessions/{id}", "GET /v1/sessions/{id}/items"} <= set(of_session)
        assert any(line["message"] == "GET /v1/sessions/{id}/nothing/{id}" for line in lines)
        opened = next(line for line in lines if line["message"] == "draining")
        assert opened["service"] == "a2-gateway" and opened["sessions"] in (1, 2)  # the one that was taken over may not have left yet
        assert not any(line["message"] == "GET /readyz" for line in lines), "too often"
        assert any(line["message"] == "GET /v1/realtime" and line["request_id"].startswith("req_") for line in lines)
        await avatar.stop(None)

    run(within)


@pytest.mark.parametrize(
    ("packets", "drain_s", "last", "expected"), [(120, "60", "response.done", "completed"), (2000, "1", "error", "draining")]
)
def test_a_turn_that_is_under_way_may_end_like_a_session(
    valkey_port: int, tmp_path: Path, packets: int, drain_s: str, last: str, expected: str
) -> None:
    """It has the time to drain, not the few seconds that an HTTP server gives a request; after that it is told why it ends."""

    async def within() -> None:
        avatar, inference = await scripted(Script(packets=packets, pace_s=0.05))
        key, _ = create_key(tmp_path / "tenants.toml", "acme")
        redis = f"redis://127.0.0.1:{valkey_port}/0"
        env = environment(tmp_path, PORT="0", INFERENCE=inference, REDIS_URL=redis, KAFKA_SERVERS="127.0.0.1:9", DRAIN_S=drain_s)
        command = (sys.executable, "-m", "a2serve.gateway")
        gateway = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert gateway.stdout
        ready = json.loads(await asyncio.wait_for(gateway.stdout.readline(), WAIT_S))
        url, headers = f"http://127.0.0.1:{ready['port']}", {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=WAIT_S, headers=headers) as client:
            session_id = (await client.post("/v1/sessions", json={})).json()["id"]
            async with client.stream("POST", f"/v1/sessions/{session_id}/turns", json={"text": "Hello"}) as response:
                events = [json.loads(line[6:]) async for line in _stopped_at_the_first_sound(response, gateway)]
            ended = next(event for event in events if event["type"] == last)
            assert (ended["response"]["status"] if last == "response.done" else ended["error"]["code"]) == expected
        assert await asyncio.wait_for(gateway.wait(), WAIT_S) == 0
        await avatar.stop(None)

    run(within)


async def _stopped_at_the_first_sound(response: httpx.Response, gateway: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """The lines of data; the gateway is told to stop behind the first sound."""
    stopped = False
    async for line in response.aiter_lines():
        if line.startswith("data: "):
            yield line
        if "response.output_audio.delta" in line and not stopped:
            stopped = True
            gateway.send_signal(signal.SIGTERM)


async def _drained(gateway: asyncio.subprocess.Process, talking: Client, client: httpx.AsyncClient) -> None:
    await talking.ask("Hello")
    await talking.until("response.output_audio.delta")
    gateway.send_signal(signal.SIGTERM)
    away = await talking.until("a2.go_away")
    assert (away["reason"], away["time_left_ms"]) == ("drain", 2000)
    response = await client.get("/readyz")
    assert (response.status_code, response.json()["draining"]) == (503, True)
    refused = await client.get("/v1/realtime")
    assert refused.status_code == 404  # not an upgrade
    done = (await talking.until("response.done"))["response"]
    assert (done["status"], done["status_details"]["error"]["code"]) == ("incomplete", "session_expired")
    with pytest.raises(websockets.ConnectionClosed) as closed:
        await talking.until("nothing", "error")
        await talking.next()
    assert closed.value.rcvd and (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "drain")


def started(service: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", f"a2serve.{service}"], env=env, capture_output=True, text=True, timeout=WAIT_S)


def check_one_line(done: subprocess.CompletedProcess[str], expected: str) -> None:
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert expected in done.stderr.splitlines()[-1] and done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PROFILE", "prod"),
        ("LOG_LEVEL", "LOUD"),
        ("CORS_ORIGINS", "https://x"),
        ("REDIS_URL", "http://x"),
        ("REDIS_URL", "redis://x:port/0"),
        ("USAGE_DATABASE", "nonsense"),
        ("HOST", "999.1.1.1"),
        ("KAFKA_MECHANISM", "PLAIN"),
    ],
)
def test_a_wrong_setting_of_the_gateway_is_named_in_one_line(tmp_path: Path, name: str, value: str) -> None:
    done = started("gateway", environment(tmp_path, **({"PORT": "0"} | {name: value})))
    check_one_line(done, "kafka_mechanism" if name == "KAFKA_MECHANISM" else f"A2_GATEWAY_{name}")


def test_a_taken_port_and_an_unreadable_file_of_keys_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        check_one_line(started("gateway", environment(tmp_path, PORT=port)), f"A2_GATEWAY_PORT: cannot listen on 127.0.0.1:{port}")
        own = {"A2_RECORDER_DATABASE": f"sqlite:///{tmp_path / 'r.sqlite'}", "A2_RECORDER_METRICS_PORT": port}
        check_one_line(started("recorder", os.environ | own), "A2_RECORDER_METRICS_PORT: cannot listen")
    (tmp_path / "tenants.toml").write_text("= =")
    check_one_line(started("gateway", environment(tmp_path)), "A2_TENANTS_FILE: ")
    (tmp_path / "tenants.toml").unlink()
    (tmp_path / "tenants.toml").mkdir()
    check_one_line(started("gateway", environment(tmp_path)), "A2_TENANTS_FILE: ")


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("recorder", "DATABASE", "nonsense"),
        ("recorder", "LOG_LEVEL", "LOUD"),
        ("recorder", "DATABASE", "postgresql+psycopg://127.0.0.1:1/x"),
        ("inference", "LOG_LEVEL", "LOUD"),
        ("inference", "SLOTS", "0"),
    ],
)
def test_a_wrong_setting_of_another_service_is_named_in_one_line(service: str, name: str, value: str) -> None:
    prefix = f"A2_{service.upper()}_"
    done = started(service, os.environ | {f"{prefix}METRICS_PORT": "-1", prefix + name: value})
    lines = [line for line in done.stderr.splitlines() if not line.startswith("{")]  # what it logged before
    check_one_line(subprocess.CompletedProcess((), done.returncode, "", "\n".join(lines) + "\n"), prefix + name)
