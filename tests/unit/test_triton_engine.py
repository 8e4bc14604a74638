"""The client of an engine behind Triton, against a gRPC server that says what a test wants: errors, versions, broken streams."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import pytest
from tritonclient.grpc import service_pb2 as kserve
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

from a2llm.language.chat import personas
from a2llm.messages import EngineDown, Refused, ResponseRequest, StepOutput, UserTurn
from a2serve.contracts.proto import avatar_pb2 as avatar
from a2serve.contracts.proto import engine_pb2 as pb
from a2serve.inference.triton_engine import TritonEngine

WORD = pb.EngineResponse(packet=avatar.Packet(text="Hello"))
END = pb.EngineResponse(packet=avatar.Packet(done=avatar.Done(reason=avatar.Done.COMPLETED)))
UNKNOWN = "Request for unknown model: 'a2llm' version 1 is not at ready state"


@dataclass
class Script(GRPCInferenceServiceServicer):
    """Each stream takes the next of `streams`: answers, texts of Triton's own errors, or None to wait for the client's last words."""

    streams: list[list[pb.EngineResponse | str | None]] = field(default_factory=list)
    version: str = "1"
    asked: list[kserve.ModelInferRequest] = field(default_factory=list)
    last_words: list[kserve.ModelInferRequest] = field(default_factory=list)
    cancelled: bool = False  # a stream was, which the client must never do

    async def ModelReady(self, request: kserve.ModelReadyRequest, context: grpc.aio.ServicerContext) -> kserve.ModelReadyResponse:
        return kserve.ModelReadyResponse(ready=True)

    async def ModelStreamInfer(self, requests: AsyncIterator, context: grpc.aio.ServicerContext) -> AsyncGenerator:
        self.asked.append(await anext(requests))
        for response in self.streams.pop(0):
            if response is None:
                try:
                    self.last_words += [request async for request in requests]
                except asyncio.CancelledError:
                    self.cancelled = True
                    raise
            elif isinstance(response, str):
                yield kserve.ModelStreamInferResponse(error_message=response)
            else:
                data = response.SerializeToString()
                tensor = kserve.ModelInferResponse.InferOutputTensor(name="packet", datatype="UINT8", shape=[len(data)])
                response = kserve.ModelInferResponse(model_version=self.version, outputs=[tensor], raw_output_contents=[data])
                yield kserve.ModelStreamInferResponse(infer_response=response)


@asynccontextmanager
async def serving(script: Script) -> AsyncGenerator[tuple[grpc.aio.Server, TritonEngine], None]:
    server = grpc.aio.server()
    add_GRPCInferenceServiceServicer_to_server(script, server)
    engine = TritonEngine(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
    await server.start()
    try:
        yield server, engine
    finally:
        await engine.close()
        await server.stop(None)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


def ask(session: str = "s") -> ResponseRequest:
    return ResponseRequest(session, "r", (UserTurn("Hello"),)).answered_by(personas()["ada"])


async def read(pieces: AsyncGenerator[StepOutput, None]) -> list[StepOutput]:
    return [piece async for piece in pieces]


@pytest.mark.parametrize(
    ("response", "kind", "said"),
    [
        (pb.EngineResponse(refused=pb.Refusal(message="all 2 slots are speaking", retry_after_ms=700)), Refused, "all 2"),
        (pb.EngineResponse(down="the engine failed: out of memory"), EngineDown, "out of memory"),
        (pb.EngineResponse(invalid="there are no tools"), ValueError, "no tools"),
        ("Stub process 'a2llm_0_0' is not healthy.", EngineDown, "not healthy"),
        (UNKNOWN, EngineDown, "not at ready state"),
    ],
)
def test_what_comes_instead_of_an_answer(response: pb.EngineResponse | str, kind: type[Exception], said: str) -> None:
    async def scenario() -> None:
        async with serving(Script([[response]])) as (_, engine):
            with pytest.raises(kind, match=said) as raised:
                await read(engine.respond(ask()))
            if isinstance(raised.value, Refused):
                assert raised.value.retry_after_ms == 700
            assert engine.speaking == 0

    run(scenario)


def test_a_stream_without_an_end_is_a_failure_and_not_an_answer() -> None:
    async def scenario() -> None:
        async with serving(Script([[WORD], []])) as (_, engine):
            with pytest.raises(EngineDown, match="before its end"):
                await read(engine.respond(ask()))
            with pytest.raises(EngineDown, match="did not answer"):
                await engine.turn_end("hello")

    run(scenario)


def test_a_response_that_is_closed_is_cancelled_in_so_many_words() -> None:
    async def scenario() -> None:
        script = Script([[WORD, None, WORD], [WORD, None], [WORD, END, None]])
        async with serving(script) as (_, engine):
            pieces = engine.respond(ask())
            await anext(pieces)
            assert engine.speaking == 1
            await pieces.aclose()
            assert engine.speaking == 0
            waiting = asyncio.ensure_future(read(engine.respond(ask())))
            while len(script.asked) < 2:
                await asyncio.sleep(0.01)
            waiting.cancel()
            await read(engine.respond(ask()))
        cancels = [pb.EngineRequest.FromString(request.raw_input_contents[0]).cancel.id for request in script.last_words]
        assert cancels == [request.id for request in script.asked[:2]]  # and nothing to say behind an end
        assert not script.cancelled

    run(scenario)


def test_a_server_that_goes_ends_what_is_open_and_is_found_again() -> None:
    async def scenario() -> None:
        async with serving(Script([[WORD, None]])) as (server, engine):
            pieces = engine.respond(ask())
            await anext(pieces)
            await server.stop(None)
            gone_s = time.perf_counter()
            with pytest.raises(EngineDown):
                await anext(pieces)
            with pytest.raises(EngineDown):
                await read(engine.respond(ask()))
            assert not await engine.ready()
            assert time.perf_counter() - gone_s < 1.0

    run(scenario)


def test_a_session_keeps_its_version_until_that_is_gone() -> None:
    async def scenario() -> None:
        released = pb.EngineResponse(released=avatar.ReleaseResponse(known=True))
        script = Script([[WORD, END], [END], [UNKNOWN], [WORD, END], [released], [END]])
        async with serving(script) as (_, engine):
            await read(engine.respond(ask()))
            await read(engine.respond(ask()))
            script.version = "2"
            assert len(await read(engine.respond(ask()))) == 2
            assert engine.version_of("s") == "2"
            assert await engine.release("s")
            await read(engine.respond(ask()))
            assert [request.model_version for request in script.asked] == ["", "1", "1", "", "2", ""]

    run(scenario)


def test_it_knows_the_engine_behind_it() -> None:
    async def scenario() -> None:
        script = Script([["Stub process is not healthy"], [pb.EngineResponse(state=pb.EngineState(revision="abc", slots=3))]])
        async with serving(script) as (_, engine):
            assert not await engine.ready()
            await engine.start(5)
            assert (engine.slots, engine.revision) == (3, "abc")

    run(scenario)
