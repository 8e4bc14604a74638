"""The process around the engine, with a tiny one: health, draining, failure, the command line."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from support.models import tiny

from a2llm.engine import Engine, TextSampling
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarStub
from a2serve.inference import host as host_module
from a2serve.inference.engine_core import EngineCore
from a2serve.inference.host import Host
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_listener
from a2serve.inference.settings import InferenceSettings

ASK = pb.RespondRequest(session_id="s", response_id="r", items=[pb.Item(role=pb.Item.USER, text="Hello")], audio=True, motion_hz=30)
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
cores: list[EngineCore] = []
parts = cache(tiny.parts)
listener = cache(load_listener)


def tiny_core(settings: InferenceSettings, metrics: Metrics) -> EngineCore:
    engine = Engine(parts(), settings.slots, settings.context_tokens, text_sampling=TextSampling(max_tokens=30))
    cores.append(EngineCore(engine, settings.pace, metrics))
    return cores[-1]


@pytest.fixture(autouse=True)
def one_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one, loaded once for all tests."""
    monkeypatch.setattr(host_module, "load_listener", listener)


@asynccontextmanager
async def replica() -> AsyncIterator[tuple[Host, grpc.aio.Channel]]:
    host = Host(InferenceSettings(port=0, metrics_port=-1, slots=2, drain_s=20), tiny_core)
    await host.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{host.port}") as channel:
            yield host, channel
    finally:
        await host.stop()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


async def status(channel: grpc.aio.Channel) -> int:
    return (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="a2.inference.v1.Avatar"))).status


def test_a_drain_lets_the_running_response_end():
    async def scenario() -> None:
        async with replica() as (host, channel):
            assert await status(channel) == SERVING
            stub = AvatarStub(channel)
            stream = aiter(stub.Respond(ASK))
            packets = [await anext(stream)]
            drain = asyncio.create_task(host.drain())
            while await status(channel) == SERVING:
                await asyncio.sleep(0.01)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Respond(pb.RespondRequest(session_id="t", response_id="t")).read()
            assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
            assert "drains" in refused.value.details()
            packets += [packet async for packet in stream]
            assert packets[-1].done.text
            await drain

    run(scenario)


def test_a_failed_engine_shows_in_the_health_and_the_reason_in_the_calls():
    async def scenario() -> None:
        async with replica() as (_, channel):
            stub = AvatarStub(channel)
            stream = aiter(stub.Respond(ASK))
            await anext(stream)

            def broken() -> None:
                raise RuntimeError("out of memory")

            cores[-1].step = broken
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                _ = [packet async for packet in stream]
            assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
            assert "out of memory" in failed.value.details()
            assert await status(channel) == NOT_SERVING
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Respond(ASK).read()
            assert "out of memory" in refused.value.details()

    run(scenario)


def command(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {f"A2_INFERENCE_{name.upper()}": value for name, value in settings.items()}
    return subprocess.run([sys.executable, "-m", "a2serve.inference", *arguments], env=env, capture_output=True, text=True, timeout=60)


def test_help_lists_every_setting():
    page = command("--help").stdout
    assert all(f"A2_INFERENCE_{name.upper()}" in page for name in InferenceSettings.model_fields)


def test_a_bad_setting_is_one_line():
    ended = command(slots="0")
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines() == ["A2_INFERENCE_SLOTS: Input should be greater than or equal to 1"]


def test_a_signal_while_it_loads_ends_it():
    env = os.environ | {"A2_INFERENCE_PORT": "0"}
    with subprocess.Popen([sys.executable, "-m", "a2serve.inference"], env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr and "loading the model" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
