"""Checkpoints with another sample rate, another rate of motion, or both, through everything: `a2 say`, inference, gateway, REST.

Tiny models of random numbers in real processes; on the wire of the gateway all of them are at 24 kHz.
"""

import base64
import io
import json
import wave
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from support.models.cli_model import write_tiny_model
from support.servers import inference as inference_server
from support.servers.failover import play_response
from support.servers.gateway import GatewayStand, gateway_standing, run

from a2llm.cli import main
from a2llm.clock import FrameClock
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto import avatar_pb2_grpc

CLOCKS = {"16 kHz": FrameClock(16_000, 40), "25 fps": FrameClock(24_000, 25), "both": FrameClock(16_000, 25)}
QUESTION = "Hello you"


@pytest.fixture(scope="module", params=list(CLOCKS))
def clock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mini_gguf: Path) -> Iterator[FrameClock]:
    """The environment points to a checkpoint with these rates."""
    clock = CLOCKS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2_MODEL", str(write_tiny_model(tmp_path_factory.mktemp("model"), clock=clock)))
        patch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
        patch.setenv("A2_HOME", str(tmp_path_factory.mktemp("home")))
        yield clock


@pytest.fixture(scope="module")
def server(clock: FrameClock) -> Iterator[inference_server.Server]:
    with inference_server.running(metrics_port=-1, threads=1) as server:
        yield server


def test_a2_say_writes_the_checkpoints_rates(clock: FrameClock, tmp_path: Path) -> None:
    assert main(["say", QUESTION, "--out", str(tmp_path)]) == 0
    with wave.open(str(tmp_path / "answer.wav")) as sound:
        assert sound.getframerate() == clock.sample_rate_hz
        seconds = sound.getnframes() / clock.sample_rate_hz
    motion, described = (json.loads((tmp_path / name).read_text()) for name in ("answer.motion.json", "answer.json"))
    assert motion["fps"] == clock.motion_hz and len(motion["frames"]) == seconds * clock.motion_hz > 0
    assert described["sample_rate_hz"] == clock.sample_rate_hz
    assert max(word["end_ms"] for word in described["words"]) <= seconds * 1000


@pytest.mark.parametrize("own", [True, False])
def test_inference_tells_its_rates_and_keeps_one_clock(clock: FrameClock, server: inference_server.Server, own: bool) -> None:
    hz = clock.motion_hz if own else 60
    request = pb.RespondRequest(
        session_id="s", response_id="r", items=[pb.Item(role=pb.Item.USER, text=QUESTION)], audio=True, motion_hz=hz, burst=True
    )
    with grpc.insecure_channel(server.target) as channel:
        stub = avatar_pb2_grpc.AvatarStub(channel)
        info = stub.Describe(pb.DescribeRequest(), timeout=30)
        packets = list(stub.Respond(request, timeout=60))
    assert (info.sample_rate_hz, info.motion_hz, info.motion_per_audio) == (clock.sample_rate_hz, clock.motion_hz, 2)
    assert {packet.sample_rate_hz for packet in packets} == {clock.sample_rate_hz}
    samples = sum(len(packet.pcm16) // 2 for packet in packets)
    assert sum(packet.motion.frames for packet in packets) == -(-samples * hz // clock.sample_rate_hz) > 0
    assert packets[-1].done.usage.output_audio_ms == samples * 1000 // clock.sample_rate_hz


def at_a_gateway(server: inference_server.Server, folder: Path, valkey: int, test) -> None:
    async def within() -> None:
        async with gateway_standing(folder, valkey, inference=server.target) as stand:
            await test(stand)

    run(within)


def test_a_socket_has_24_khz_and_one_clock(clock: FrameClock, server: inference_server.Server, tmp_path: Path, valkey_port: int) -> None:
    async def test(stand: GatewayStand) -> None:
        async with stand.talking() as client:
            heard = await play_response(client, QUESTION)  # packets are contiguous, and frames of motion are as many as the sound is long
            model = (await client.update(a2={"motion": None}))["session"]["a2"]["model"]
        assert (model["sample_rate_hz"], model["motion_hz"]) == (clock.sample_rate_hz, clock.motion_hz)
        assert model["audio_frame_hz"] == clock.audio_frame_hz
        seconds = len(heard.sound) / RATE_HZ
        assert np.abs(heard.sound.astype(int)).max() > 50
        assert len(heard.sound) * clock.motion_hz % RATE_HZ == 0, "not whole frames of the model"
        assert heard.usage["output_token_details"]["audio_tokens"] == int(int(seconds * 1000) * clock.audio_frame_hz / 1000)

    at_a_gateway(server, tmp_path, valkey_port, test)


def test_a_stock_client_hears_what_inference_made(
    clock: FrameClock, server: inference_server.Server, tmp_path: Path, valkey_port: int
) -> None:
    """Without our extension: `response.output_audio.delta`, PCM16 at 24 kHz."""

    async def test(stand: GatewayStand) -> None:
        async with stand.talking() as client:
            await client.ask(QUESTION)
            done = await client.until("response.done")
            sound = b"".join(base64.b64decode(event["delta"]) for event in client.of("response.output_audio.delta"))
        samples = len(sound) // 2
        assert done["response"]["status"] in ("completed", "incomplete") and samples > RATE_HZ / 10
        assert samples * clock.motion_hz % RATE_HZ == 0

    at_a_gateway(server, tmp_path, valkey_port, test)


def test_a_rest_turn_is_as_long_as_its_wav(clock: FrameClock, server: inference_server.Server, tmp_path: Path, valkey_port: int) -> None:
    async def test(stand: GatewayStand) -> None:
        async with stand.client() as http:
            session = (await http.post("/v1/sessions", json={})).json()["id"]
            turn = {"text": QUESTION, "stream": False, "motion": {"rig": "arkit61", "fps": 30}}
            body = (await http.post(f"/v1/sessions/{session}/turns", json=turn)).raise_for_status().json()
        with wave.open(io.BytesIO(base64.b64decode(body["audio"]["data"]))) as sound:
            assert sound.getframerate() == body["audio"]["sample_rate_hz"] == RATE_HZ
            samples = sound.getnframes()
        assert body["audio"]["duration_ms"] == samples * 1000 // RATE_HZ > 100
        assert body["motion"]["frames"] == -(-samples * 30 // RATE_HZ)

    at_a_gateway(server, tmp_path, valkey_port, test)
