"""The parts around the engine inside Triton that need no Triton: settings, numbers, and the guard over processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import numpy as np
import pytest
from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from a2llm.clock import FrameClock
from a2llm.language.chat import personas
from a2llm.messages import Done, ResponseRequest, StepOutput
from a2serve.contracts.proto import avatar_pb2, engine_pb2
from a2serve.inference import triton_guard, triton_model
from a2serve.inference.model import Facts
from a2serve.inference.triton_metrics import MetricsMirror
from a2serve.inference.triton_model import read_settings


def arguments(kind: str = "CPU", count: int = 1, folder: Path = Path("/nowhere"), **parameters: str) -> dict[str, str]:
    config = {"instance_group": [{"count": count}], "parameters": {key: {"string_value": value} for key, value in parameters.items()}}
    return {
        "model_config": json.dumps(config),
        "model_instance_kind": kind,
        "model_instance_device_id": "0",
        "model_repository": str(folder),
        "model_version": "2",
    }


def test_settings_of_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings(arguments()).device == "cpu"
    assert read_settings(arguments("GPU", slots="64", FORCE_CPU_ONLY_INPUT_TENSORS="yes")).device == "cuda:0"
    monkeypatch.setenv("A2_INFERENCE_SLOTS", "3")
    monkeypatch.setenv("A2_INFERENCE_MODEL_FOLDER", "/elsewhere")
    (tmp_path / "2/weights").mkdir(parents=True)
    chosen = read_settings(arguments(folder=tmp_path, slots="64", threads="1"))
    assert (chosen.slots, chosen.threads, chosen.model_folder) == (3, 1, tmp_path / "2/weights")


@pytest.mark.parametrize(("wanted", "device"), [(None, "cuda:0"), ("auto", "cuda:0"), ("cuda:1", "cuda:1")])
def test_a_model_of_kind_gpu_is_on_a_gpu(wanted: str | None, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod that was paid as a GPU does not speak from a CPU and say READY."""
    by_parameter = {"device": wanted} if wanted else {}
    assert read_settings(arguments("GPU", **by_parameter)).device == device
    if wanted:
        monkeypatch.setenv("A2_INFERENCE_DEVICE", wanted)
        assert read_settings(arguments("GPU", device="cpu")).device == device


@pytest.mark.parametrize("place", ["environment", "parameter"])
def test_a_cpu_is_refused_to_a_model_of_kind_gpu(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "environment":
        monkeypatch.setenv("A2_INFERENCE_DEVICE", "cpu")
    with pytest.raises(ValueError, match=r"A2_INFERENCE_DEVICE .* is 'cpu', but config.pbtxt says KIND_GPU"):
        read_settings(arguments("GPU", **({"device": "cpu"} if place == "parameter" else {})))
    assert read_settings(arguments("CPU")).device == "cpu"


def test_bad_settings_are_one_sentence() -> None:
    with pytest.raises(ValueError, match="count 1"):
        read_settings(arguments(count=2))
    with pytest.raises(ValueError, match="slots: Input should be"):
        read_settings(arguments(slots="none"))


class Utils:
    """Triton's custom metrics, as far as they are used: what is shown, and how often something was changed."""

    def __init__(self) -> None:
        utils, self.shown, self.changes = self, {}, 0

        class Metric:
            def __init__(self, name: str, labels: dict[str, str]) -> None:
                self.key = (name, tuple(sorted(labels.items())))
                utils.shown[self.key] = 0.0

            def set(self, value: float) -> None:
                utils.changes += 1
                utils.shown[self.key] = value

            def increment(self, value: float) -> None:
                assert value > 0
                self.set(utils.shown[self.key] + value)

        class MetricFamily:
            COUNTER, GAUGE = "counter", "gauge"

            def __init__(self, name: str, description: str, kind: str) -> None:
                assert description and (kind == "counter") == name.endswith(("_total", "_bucket", "_sum", "_count"))
                self.name = name

            def Metric(self, labels: dict[str, str]) -> "Metric":
                return Metric(self.name, labels)

        self.MetricFamily = MetricFamily


def test_triton_shows_what_the_registry_holds_and_is_told_only_of_changes() -> None:
    registry, utils = CollectorRegistry(), Utils()
    slots = Gauge("slots", "s", ["state"], registry=registry)
    refused = Counter("refused", "r", registry=registry)
    step = Histogram("step", "s", buckets=(1.0, 2.0), registry=registry)
    mirror = MetricsMirror(registry, utils, {"version": "1"})
    slots.labels("free").set(2)
    refused.inc(3)
    step.observe(1.5)
    mirror.show()
    mirror.show()
    assert utils.changes == 6
    refused.inc()
    slots.labels("free").set(0)
    mirror.show()
    version = ("version", "1")
    assert utils.shown == {
        ("slots", (("state", "free"), version)): 0,
        ("refused_total", (version,)): 4,
        ("step_sum", (version,)): 1.5,
        ("step_count", (version,)): 1,
        ("step_bucket", (("le", "1.0"), version)): 0,
        ("step_bucket", (("le", "2.0"), version)): 1,
        ("step_bucket", (("le", "+Inf"), version)): 1,
    }


@pytest.fixture
def sleepers() -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Two processes that play Triton and its stub."""
    both = [subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(30)"]) for _ in range(2)]
    yield both
    for process in both:
        process.kill()
        process.wait()


def test_neither_triton_nor_its_stub_survives_the_other(sleepers: list["subprocess.Popen[bytes]"], tmp_path: Path) -> None:
    region = Path("/dev/shm") / f"a2-test-{os.getpid()}"
    region.touch()
    triton, stub = sleepers
    with triton_guard.start(triton.pid, stub.pid, region.name) as guard:
        assert guard.stdin is not None
        guard.stdin.close()  # as when the stub is killed
        assert triton.wait(5) == stub.wait(5) == -signal.SIGKILL
        assert guard.wait(5) == 0
    assert not region.exists()


def test_a_stub_dies_with_its_triton(sleepers: list["subprocess.Popen[bytes]"]) -> None:
    triton, stub = sleepers
    with triton_guard.start(triton.pid, stub.pid, "") as guard:
        triton.kill()
        assert stub.wait(5) == -signal.SIGKILL
        assert guard.wait(5) == 0


def test_an_announced_close_is_no_failure(sleepers: list["subprocess.Popen[bytes]"]) -> None:
    triton, stub = sleepers
    with triton_guard.start(triton.pid, stub.pid, "") as guard:
        assert guard.stdin is not None
        guard.stdin.write(b".")
        guard.stdin.close()
        stub.terminate()
        stub.wait(5)
        assert guard.wait(5) == 0
    assert triton.poll() is None


class OneStep:
    """An engine that makes one frame of sound, which is two frames of motion."""

    async def respond(self, request: ResponseRequest) -> AsyncGenerator[StepOutput, None]:
        self.asked_hz = request.motion_hz
        yield StepOutput("Hm.", np.zeros(1280, np.float32), np.zeros((2, 61), np.float32), done=Done("completed"))


def test_a_checkpoint_with_its_own_rate_of_motion_gives_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """The replica, which reads no checkpoint before it asks, names the rate of the weights that ship."""
    model = object.__new__(triton_model.TritonModel)
    model._facts, model._engine = Facts("revision", FrameClock(16_000, 25), 2048, personas()), OneStep()
    model._tracer = trace.NoOpTracer()
    request = avatar_pb2.RespondRequest(session_id="s", response_id="r", audio=True, motion_hz=FrameClock.motion_hz)
    request.items.add(role=avatar_pb2.Item.USER, text="Hello")

    async def first() -> engine_pb2.EngineResponse:
        return await anext(model._respond(request, {}))

    packet = asyncio.run(first()).packet
    assert (packet.motion.hz, packet.motion.frames, packet.sample_rate_hz) == (25, 2, 16_000)
    assert model._engine.asked_hz == 25
