"""The engine behind a real Triton server, with a tiny model: the same answers as in process, and what happens around them."""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.error import HTTPError

import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import TracerProvider
from support.models.cli_model import write_tiny_model
from support.servers.triton import Triton, running

from a2llm.language.chat import find_persona
from a2llm.messages import Done, EngineDown, Refused, ResponseOptions, ResponseRequest, StepOutput, UserTurn
from a2llm.pcm16 import to_pcm16
from a2serve.inference.engine_client import LocalEngine
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_core
from a2serve.inference.settings import InferenceSettings
from a2serve.inference.triton_engine import TritonEngine
from a2serve.local.home import cache_folder
from a2serve.telemetry import names

ADA = find_persona("ada")
NEEDS = "needs Triton: make up PROFILE=cluster fetches it"
pytestmark = pytest.mark.skipif(not any((cache_folder() / "triton").glob("*-py*")), reason=NEEDS)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, mini_gguf: Path) -> Iterator[Path]:
    """A tiny model's folder, which the environment points to."""
    folder = tmp_path_factory.mktemp("model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2_MODEL", str(write_tiny_model(folder)))
        patch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
        yield folder


class Collector(ThreadingHTTPServer):
    """Takes spans as OTLP/HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Post)
        self.spans: list = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Post(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        self.server.spans += [span for r in sent.resource_spans for scope in r.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def triton(model: Path, collector: Collector, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Triton]:
    """Shared by the tests below, in their order; the last one kills it."""
    with running(tmp_path_factory.mktemp("triton"), {}, otlp_endpoint=collector.url) as server:
        yield server


@asynccontextmanager
async def connected(triton: Triton) -> AsyncGenerator[TritonEngine, None]:
    engine = TritonEngine(triton.url)
    try:
        yield engine
    finally:
        await engine.close()


def run(triton: Triton, scenario: Callable[[TritonEngine], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(200), connected(triton) as engine:  # a busy machine is slow, not broken
            await engine.start(60)
            await scenario(engine)

    asyncio.run(bounded())


def ask(session: str = "s", seed: int = 1, burst: bool = True, **options: object) -> ResponseRequest:
    return ResponseRequest(session, f"r-{session}-{seed}", (UserTurn("Hello"),), ResponseOptions(seed, **options), burst=burst).answered_by(
        ADA
    )


async def read(pieces: AsyncGenerator[StepOutput, None]) -> list[StepOutput]:
    return [piece async for piece in pieces]


def finish(pieces: list[StepOutput]) -> Done:
    assert [p.done is not None for p in pieces] == [False] * (len(pieces) - 1) + [True]
    return pieces[-1].done


async def in_process(*asks: ResponseRequest) -> list[list[StepOutput]]:
    """Responses of the engine without Triton, one after the other."""
    settings, metrics = InferenceSettings(slots=2, threads=1), Metrics()
    host = EngineHost(lambda: load_core(settings, metrics), lambda: None)
    await host.start()
    try:
        engine = LocalEngine(host, settings.slots, metrics)
        return [await read(engine.respond(each)) for each in asks]
    finally:
        await host.stop()


def assert_same(response: list[StepOutput], other: list[StepOutput]) -> None:
    assert [(p.pts_samples, p.text, p.function_call) for p in response] == [(p.pts_samples, p.text, p.function_call) for p in other]
    for piece, twin in zip(response, other, strict=True):
        if len(piece.pcm) or len(twin.pcm):
            assert to_pcm16(piece.pcm) == to_pcm16(twin.pcm)
            np.testing.assert_array_equal(piece.motion, twin.motion.astype(np.float16))
    end, twin_end = finish(response), finish(other)
    assert (end.reason, end.text, end.usage) == (twin_end.reason, twin_end.text, twin_end.usage)
    assert response[0].affect.category == other[0].affect.category


def test_answers_are_those_of_an_engine_in_process(triton: Triton) -> None:
    async def scenario(engine: TritonEngine) -> None:
        requests = [ask("a", max_output_tokens=12), ask("b", 2, audio=False, max_output_tokens=12)]
        responses = [await read(engine.respond(each)) for each in requests]
        for response, other in zip(responses, await in_process(*requests), strict=True):
            assert_same(response, other)
        assert finish(responses[0]).timings.first_audio_ms > 0
        assert (engine.slots, engine.speaking) == (2, 0)

    run(triton, scenario)


def test_the_other_questions_are_answered_too(triton: Triton) -> None:
    async def scenario(engine: TritonEngine) -> None:
        assert 0.0 < await engine.turn_end("What is the capital of France?") < 1.0
        await read(engine.respond(ask("known", max_output_tokens=4)))
        assert await engine.release("known")
        assert not await engine.release("known")
        with pytest.raises(ValueError, match="no tools"):
            await read(engine.respond(ask(tool_choice="required")))

    run(triton, scenario)


def test_two_speak_at_once_and_a_third_is_refused_at_once(triton: Triton) -> None:
    async def scenario(engine: TritonEngine) -> None:
        pair = [engine.respond(ask(s, burst=False, max_output_tokens=200)) for s in "ab"]
        async with aclosing(pair[0]), aclosing(pair[1]):
            await asyncio.gather(*(anext(pieces) for pieces in pair))
            assert engine.speaking == 2
            started_s = time.perf_counter()
            with pytest.raises(Refused, match="all 2 slots") as refused:
                await anext(engine.respond(ask("c")))
            assert time.perf_counter() - started_s < 0.5
            assert 200 <= refused.value.retry_after_ms <= 5000
        assert engine.speaking == 0

    run(triton, scenario)


def test_a_response_that_is_closed_is_cancelled_in_the_engine(triton: Triton) -> None:
    """Two slots, both closed in mid-speech: the next two are admitted within moments."""

    async def scenario(engine: TritonEngine) -> None:
        for pieces in [engine.respond(ask(s, burst=False, max_output_tokens=200)) for s in "ab"]:
            await anext(pieces)
            await pieces.aclose()
        closed_s = time.perf_counter()
        while True:
            try:
                pieces = engine.respond(ask("c", burst=False, max_output_tokens=200))
                await anext(pieces)
                await pieces.aclose()
                break
            except Refused:
                assert time.perf_counter() - closed_s < 1.0
                await asyncio.sleep(0.01)

    run(triton, scenario)


def test_its_numbers_stand_among_those_of_triton(triton: Triton) -> None:
    numbers: dict[str, float] = {}

    def number(name: str, **labels: str) -> float:
        text = ",".join(f'{key}="{value}"' for key, value in sorted({"model": "a2llm", "version": "1", **labels}.items()))
        return numbers.get(f"{name}{{{text}}}", 0.0)

    deadline_s = time.monotonic() + 5
    while number(f"{names.METRIC_INFERENCE_RESPONSES}_total", reason="cancelled") < 3:  # they come a moment later
        assert time.monotonic() < deadline_s
        numbers = triton.metrics()
    assert sum(number(names.METRIC_INFERENCE_SLOTS, state=state) for state in ("speaking", "resting", "free")) == 2
    assert number(f"{names.METRIC_INFERENCE_REFUSED}_total", reason="full") >= 1
    assert number(f"{names.METRIC_INFERENCE_STEP_SECONDS}_count") == number(f"{names.METRIC_INFERENCE_STEP_SECONDS}_bucket", le="+Inf") > 0
    assert number(f"{names.METRIC_INFERENCE_BATCH}_sum") > number(f"{names.METRIC_INFERENCE_BATCH}_count")  # two in a step, at times
    assert [value for name, value in numbers.items() if name.startswith(names.METRIC_INFERENCE_DEVICE) and 'kind="cpu"' in name] == [1]
    assert number(names.METRIC_INFERENCE_KV_BYTES) > number(names.METRIC_INFERENCE_KV_TOKENS) > 0


def test_the_trace_goes_on_behind_triton(triton: Triton, collector: Collector) -> None:
    provider = TracerProvider()

    async def scenario(engine: TritonEngine) -> None:
        with provider.get_tracer("test").start_as_current_span("caller") as caller:
            await read(engine.respond(ask("traced", max_output_tokens=4)))
        deadline_s = time.monotonic() + 5
        while not (mine := [s for s in collector.spans if s.trace_id == caller.get_span_context().trace_id.to_bytes(16, "big")]):
            assert time.monotonic() < deadline_s
            await asyncio.sleep(0.05)
        assert [span.name for span in mine] == [names.SPAN_INFERENCE_ENGINE]
        assert mine[0].parent_span_id == caller.get_span_context().span_id.to_bytes(8, "big")

    run(triton, scenario)
    provider.shutdown()


def test_versions_come_and_go(triton: Triton) -> None:
    """One after the other, since loading takes seconds: a second version beside the first, unloading, weights that are not whole."""
    folder = triton.repository / "a2llm"

    async def version_of(engine: TritonEngine, session: str) -> str:
        assert finish(await read(engine.respond(ask(session, max_output_tokens=4))))
        return engine.version_of(session)

    async def scenario(engine: TritonEngine) -> None:
        first = engine.revision
        assert await version_of(engine, "old") == "1"
        begun = engine.respond(ask("old", 2, burst=False, max_output_tokens=100))
        heard = [await anext(begun)]
        add_version(folder / "2")
        await asyncio.to_thread(triton.load)
        assert finish(heard + await read(begun)).reason in ("completed", "max_output_tokens")
        assert triton.index() == {"1": "READY", "2": "READY"}
        assert [await version_of(engine, session) for session in ("old", "new")] == ["1", "2"]
        assert await engine.ready() and engine.revision != first

        await asyncio.to_thread(triton.unload)
        assert not await engine.ready()
        with pytest.raises(EngineDown):
            await read(engine.respond(ask("old")))

        shutil.rmtree(folder / "1")
        talker = (folder / "2/weights/talker.safetensors").rename(folder / "talker.safetensors")
        with pytest.raises(HTTPError) as failed:
            await asyncio.to_thread(triton.load)
        assert b"talker" in failed.value.read()
        assert not triton.ready()
        talker.rename(folder / "2/weights/talker.safetensors")
        await asyncio.to_thread(triton.load)
        await engine.start(60)
        assert await version_of(engine, "old") == "2"  # its own version is gone: better the new one than none

    run(triton, scenario)


def add_version(folder: Path) -> None:
    """With weights of its own."""
    shutil.copytree(folder.parent / "1", folder)
    (folder / "weights").mkdir()
    write_tiny_model(folder / "weights", seed=1)


def test_a_killed_server_is_noticed_at_once(triton: Triton) -> None:
    async def scenario(engine: TritonEngine) -> None:
        pair = [engine.respond(ask(s, burst=False, max_output_tokens=200)) for s in "ab"]
        await asyncio.gather(*(anext(pieces) for pieces in pair))
        stubs = triton.stubs()
        triton.kill()
        killed_s = time.perf_counter()
        for ended in await asyncio.gather(*(read(pieces) for pieces in pair), return_exceptions=True):
            assert isinstance(ended, EngineDown)
        assert time.perf_counter() - killed_s < 0.3
        with pytest.raises(EngineDown):
            await read(engine.respond(ask()))
        assert time.perf_counter() - killed_s < 0.6
        assert not await engine.ready()
        while any(Path(f"/proc/{stub}").exists() for stub in stubs):  # the guard sees to it
            assert time.perf_counter() - killed_s < 5
            await asyncio.sleep(0.05)

    run(triton, scenario)
