"""The inference service over gRPC, as the gateway sees it: real weights, one server for all tests."""

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.servers import inference as inference_server

from a2llm.pcm16 import to_pcm16
from a2llm.sound_files import read_audio
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.avatar_pb2_grpc import AvatarStub

QUESTIONS = Path(__file__).parents[1] / "data/questions"
FRANCE = pb.Item(role=pb.Item.USER, text="What is the capital of France?")
LONG = pb.Item(role=pb.Item.USER, text="Please tell me a long story about a dragon.")
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
Scenario = Callable[[AvatarStub], Awaitable[None]]


class Collector(HTTPServer):
    """Takes OTLP traces."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.spans: dict[str, tuple[str, str]] = {}  # name -> trace id, parent


class _Take(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        for span in (s for r in request.resource_spans for scope in r.scope_spans for s in scope.spans):
            self.server.spans[span.name] = span.trace_id.hex(), span.parent_span_id.hex()
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def server(collector: Collector) -> Iterator[inference_server.Server]:
    with inference_server.running(otlp_endpoint=f"http://127.0.0.1:{collector.server_port}") as started:
        yield started


@pytest.fixture
def run(server: inference_server.Server) -> Callable[[Scenario], None]:
    def within_a_minute(scenario: Scenario) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(90), grpc.aio.insecure_channel(server.target) as channel:
                await scenario(AvatarStub(channel))

        asyncio.run(bounded())

    return within_a_minute


def ask(session: str, *items: pb.Item, **other) -> pb.RespondRequest:
    defaults = {"response_id": f"resp_{session}", "audio": True, "seed": 1, "burst": True, "motion_hz": 30}
    return pb.RespondRequest(session_id=session, items=items or [FRANCE], **(defaults | other))


async def read(stub: AvatarStub, request: pb.RespondRequest) -> list[pb.Packet]:
    packets = [packet async for packet in stub.Respond(request, timeout=60)]
    assert {packet.response_id for packet in packets} == {request.response_id}
    return packets


def check_motion(packets: list[pb.Packet], hz: int, width: int, samples: int) -> None:
    at = 0
    for motion in (packet.motion for packet in packets if packet.HasField("motion")):
        assert (motion.hz, motion.first_frame) == (hz, at)
        values = np.frombuffer(motion.values_f16, "<f2").reshape(motion.frames, width)
        assert np.isfinite(values).all()
        at += motion.frames
    assert at == -(-samples * hz // 24_000)


@pytest.mark.parametrize(("hz", "rig", "width"), [(25, "arkit61", 61), (30, "", 61), (60, "oculus15", 15)])
def test_text_sound_and_motion_share_one_clock(run, hz: int, rig: str, width: int):
    async def scenario(stub: AvatarStub) -> None:
        packets = await read(stub, ask("clock", motion_hz=hz, rig=rig))
        samples = 0
        for packet in packets:
            assert packet.pts_samples == samples
            samples += len(packet.pcm16) // 2
        check_motion(packets, hz, width, samples)
        done = packets[-1].done
        assert " ".join(packet.text for packet in packets if packet.text) == done.text
        assert done.usage.output_audio_ms == samples / 24
        assert packets[0].pcm16
        assert packets[0].HasField("motion")
        assert [packet.HasField("affect") for packet in packets] == [True] + [False] * (len(packets) - 1)
        timings = done.timings
        assert 0 < timings.queue_ms < timings.prefill_ms <= timings.first_token_ms < timings.first_audio_ms

    run(scenario)


def test_a_second_turn_reuses_the_cache(run):
    async def scenario(stub: AvatarStub) -> None:
        packets = await read(stub, ask("turns"))
        first, tokens = packets[-1].done, [token for packet in packets for token in packet.tokens]
        said = pb.Item(role=pb.Item.ASSISTANT, text=first.text, tokens=tokens)
        second = (await read(stub, ask("turns", FRANCE, said, pb.Item(role=pb.Item.USER, text="And of Spain?"))))[-1].done
        assert second.usage.cached_tokens == first.usage.input_tokens + len(tokens)
        cut = pb.Item(role=pb.Item.ASSISTANT, text=" ".join(first.text.split()[:2]))
        third = (await read(stub, ask("turns", FRANCE, cut, pb.Item(role=pb.Item.USER, text="Go on."))))[-1].done
        assert 0 < third.usage.cached_tokens < second.usage.input_tokens
        assert (await stub.Release(pb.ReleaseRequest(session_id="turns"))).known
        # Of a new session nothing is known but the persona's instructions, which were read before anybody came.
        assert (await read(stub, ask("turns")))[-1].done.usage.cached_tokens == first.usage.cached_tokens > 10

    run(scenario)


def test_two_sessions_at_once_never_mix(run):
    other = pb.Item(role=pb.Item.USER, text="Tell me about the sea.")

    async def scenario(stub: AvatarStub) -> None:
        alone = [await read(stub, ask("left")), await read(stub, ask("right", other))]
        together = await asyncio.gather(read(stub, ask("left")), read(stub, ask("right", other)))
        assert [p[-1].done.text for p in together] == [p[-1].done.text for p in alone]
        assert together[0][-1].done.text != together[1][-1].done.text

    run(scenario)


def test_a_full_replica_refuses_and_a_cancel_makes_room(run):
    async def scenario(stub: AvatarStub) -> None:
        streams = [stub.Respond(ask(name, LONG, burst=False, max_output_tokens=80), timeout=60) for name in "ab"]
        for stream in streams:
            await stream.read()
        assert (await stub.Describe(pb.DescribeRequest())).slots_free == 0
        started = time.perf_counter()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await read(stub, ask("c"))
        assert time.perf_counter() - started < 0.25
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(refused.value.trailing_metadata())["retry-after-ms"]) >= 200
        streams[0].cancel()
        while not (await stub.Describe(pb.DescribeRequest())).slots_free:
            await asyncio.sleep(0.01)
        assert (await read(stub, ask("c")))[-1].done.reason == pb.Done.COMPLETED
        streams[1].cancel()

    run(scenario)


def test_text_alone_and_a_tool_call(run):
    tool = {
        "type": "function",
        "name": "set_timer",
        "description": "Set a timer",
        "parameters": {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]},
    }

    async def scenario(stub: AvatarStub) -> None:
        text = await read(stub, ask("text", audio=False))
        assert not any(packet.pcm16 or packet.HasField("motion") for packet in text)
        assert text[-1].done.text
        item = pb.Item(role=pb.Item.USER, text="Set a timer for five minutes.")
        call = (await read(stub, ask("tool", item, tools_json=json.dumps([tool]), tool_choice="required")))[-1]
        assert call.function_call.name == "set_timer"
        assert isinstance(json.loads(call.function_call.arguments)["minutes"], int)
        assert call.done.reason == pb.Done.COMPLETED

    run(scenario)


@pytest.mark.parametrize("rate", [16_000, 24_000])
def test_what_is_said_is_heard(run, rate: int):
    name, words = "af_bella_00", "what was the worst flood ever"
    pcm = np.frombuffer(to_pcm16(read_audio(QUESTIONS / f"{name}.flac", sample_rate_hz=rate).pcm), "<i2")

    def sound(offset: int, length: int, **other) -> pb.ListenRequest:
        piece = pcm[offset : offset + length].tobytes()
        return pb.ListenRequest(session_id="ear", utterance_id=f"{name}{rate}", offset_samples=offset, pcm16=piece, rate_hz=rate, **other)

    async def scenario(stub: AvatarStub) -> None:
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.Listen(sound(100, 100))
        assert unknown.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert dict(unknown.value.trailing_metadata())["a2-error-code"] == "utterance_unknown"
        step, before = rate // 4, ""
        for offset in range(0, len(pcm), step):
            response = await stub.Listen(sound(offset, step))
            assert response.received_samples == min(offset + step, len(pcm))
            before = before or response.transcript
        assert before
        final = await stub.Listen(sound(len(pcm), 0, final=True))
        assert final.transcript.lower().rstrip("?.") == words
        assert final.stable_chars == len(final.transcript)
        assert 0.0 < final.turn_end_probability <= 1.0
        assert final.speech_confidence > 0.5
        assert await stub.Listen(sound(len(pcm), 0, final=True)) == final
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Listen(sound(len(pcm) - 7, 3))

    run(scenario)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"session_id": ""}, "INVALID_ARGUMENT"),
        ({"persona": "nobody"}, "INVALID_ARGUMENT"),
        ({"rig": "flame58"}, "FAILED_PRECONDITION"),
        ({"motion_hz": 24}, "INVALID_ARGUMENT"),
        ({"tools_json": "{"}, "INVALID_ARGUMENT"),
        ({"temperature": 9}, "INVALID_ARGUMENT"),
        ({"top_p": 1.5}, "INVALID_ARGUMENT"),
        ({"affect": pb.Affect(category="hunger")}, "INVALID_ARGUMENT"),
        ({"tool_choice": "required"}, "INVALID_ARGUMENT"),
    ],
)
def test_bad_requests_are_told_why(run, change: dict, code: str):
    async def scenario(stub: AvatarStub) -> None:
        request = ask("bad")
        for name, value in change.items():
            getattr(request, name).CopyFrom(value) if isinstance(value, pb.Affect) else setattr(request, name, value)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await read(stub, request)
        assert refused.value.code().name == code
        assert len(refused.value.details()) > 10
        reason = {"FAILED_PRECONDITION": "rig_unavailable", "INVALID_ARGUMENT": "invalid_value"}[code]
        assert dict(refused.value.trailing_metadata())["a2-error-code"] == reason

    run(scenario)


def test_the_trace_goes_on_and_the_numbers_are_there(run, server: inference_server.Server, collector: Collector):
    async def scenario(stub: AvatarStub) -> None:
        parent = (("traceparent", f"00-{TRACE_ID}-b7ad6b7169203331-01"),)
        async for _ in stub.Respond(ask("traced"), metadata=parent, timeout=60):
            pass
        while "a2.inference.respond" not in collector.spans or collector.spans["a2.inference.respond"][0] != TRACE_ID:
            await asyncio.sleep(0.1)

    run(scenario)
    assert collector.spans["a2.inference.respond"] == (TRACE_ID, "b7ad6b7169203331")
    for phase in ("admission", "prefill", "first_token", "first_audio", "speaking"):
        assert f"a2.inference.{phase}" in collector.spans
    page = urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=5).read().decode()
    for name in ("slots", "step_seconds", "batch_responses", "queue_commands", "kv_tokens", "refused", "tokens"):
        assert f"a2_inference_{name}" in page
    device = re.search(r"^a2_inference_device_info\{(.*)\} 1\.0$", page, re.M)  # where there is no GPU: what computes is said all the same
    assert device and re.search(r'kind="(cpu|gpu)"', device[1]) and 'torch="2.' in device[1]


def test_the_face_moves_while_it_listens(run):
    async def scenario(stub: AvatarStub) -> None:
        request = pb.IdleRequest(session_id="face", state=pb.IdleRequest.LISTENING, from_frame=30, frames=30, motion_hz=30, seed=1)
        motion = await stub.Idle(request)
        assert (motion.hz, motion.first_frame, motion.frames, len(motion.values_f16)) == (30, 30, 30, 30 * 61 * 2)
        assert await stub.Idle(request) == motion

    run(scenario)


def test_describe_and_health(server: inference_server.Server, run):
    async def scenario(stub: AvatarStub) -> None:
        info = await stub.Describe(pb.DescribeRequest())
        assert (info.sample_rate_hz, info.audio_frame_hz, info.motion_hz, info.slots) == (24_000, 20, 40, 2)
        assert {rig.name: len(rig.coefficient_names) for rig in info.rigs} == {"arkit61": 61, "oculus15": 15}
        assert "ada" in [persona.name for persona in info.personas]

    run(scenario)
    with grpc.insecure_channel(server.target) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "a2.inference.v1.Avatar"):
            response = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert response.status == health_pb2.HealthCheckResponse.SERVING
