"""Requests that the inference service reads and responses that it writes; here a response that goes on where it was lost."""

from copy import deepcopy

import numpy as np
import pytest

from a2llm.affect import Affect
from a2llm.clock import MOTION_RATES_HZ, FrameClock
from a2llm.language.chat import personas
from a2llm.messages import AssistantTurn, Done, Resume, StepOutput, Timings, Usage
from a2llm.rig import ARKIT61, FlameMapping
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.inference import wire
from a2serve.inference.model import Facts

FLAME = FlameMapping(np.random.default_rng(1).random((61, 58), np.float32), np.zeros(58, np.float32))
FACTS = Facts("revision", FrameClock(), 2048, personas(), flame=FLAME)
STEP = 1200  # samples of one engine step: two frames of motion
END = Done("completed", "all of it", Usage(), Timings())
RNG = np.random.default_rng(0)
PCM, MOTION = RNG.uniform(-1, 1, 7 * STEP).astype(np.float32), RNG.uniform(0, 1, (14, ARKIT61.size)).astype(np.float32)


def request(rig: str, hz: int, **other) -> pb.RespondRequest:
    return pb.RespondRequest(session_id="s", response_id="r", audio=True, rig=rig, motion_hz=hz, **other)


def outputs(from_samples: int) -> list[StepOutput]:
    """Outputs as the engine makes them, which sends nothing before `from_samples`."""
    made = []
    for start in range(0, len(PCM), STEP):
        at = max(start, from_samples)
        if at < start + STEP:
            end = END if start + STEP == len(PCM) else None
            motion = MOTION[at // 600 : (start + STEP) // 600]
            made.append(StepOutput(f"word{start}", PCM[at : start + STEP], motion, at, done=end, tokens=(start,)))
    return made


@pytest.mark.parametrize("rig", ["arkit61", "oculus15", "flame58"])
@pytest.mark.parametrize("hz", (*MOTION_RATES_HZ, 40))
def test_a_resumed_response_is_the_rest_of_the_whole(rig: str, hz: int):
    """Sound, frames and their numbers, wherever it was lost."""
    stream = wire.PacketStream(request(rig, hz), FACTS)
    whole = [stream.packet(output) for output in outputs(0)]
    for lost_after in range(1, len(whole)):
        delivered = whole[lost_after].pts_samples
        asked = request(rig, hz, resume=pb.Resume(tokens=[1, 2], words=lost_after, samples=delivered))
        resume = wire.read_request(asked, FACTS).options.resume
        assert resume == Resume((1, 2), lost_after, delivered - (600 if hz != 40 else 0))
        stream = wire.PacketStream(asked, FACTS)
        rest = [stream.packet(output) for output in outputs(resume.samples)]
        if hz != 40:  # what came along with the frame before
            empty = rest.pop(0)
            assert (empty.pts_samples, empty.pcm16, empty.HasField("motion")) == (delivered, b"", False)
        rest[0].revision = ""  # of the host that goes on
        for packet, twin in zip(rest, map(deepcopy, whole[lost_after:]), strict=True):
            np.testing.assert_allclose(values(packet), values(twin), atol=1e-3)  # visemes are solved for, frame by frame or in pairs
            twin.motion.values_f16 = packet.motion.values_f16
            assert (packet.motion.first_frame, packet.motion.frames) == (twin.motion.first_frame, twin.motion.frames)
            packet.ClearField("motion")
            twin.ClearField("motion")
            assert packet == twin


def test_a_call_says_first_which_model_answers():
    stream = wire.PacketStream(request("arkit61", 30), FACTS)
    assert [stream.packet(output).revision for output in outputs(0)][:3] == ["revision", "", ""]
    again = wire.PacketStream(request("arkit61", 30, resume=pb.Resume(tokens=[1], words=1, samples=1200)), FACTS)
    assert again.packet(outputs(600)[0]).revision == "revision"


def values(packet: pb.Packet) -> np.ndarray:
    return np.frombuffer(packet.motion.values_f16, "<f2").astype(np.float32)


def test_it_goes_on_behind_whole_frames_only():
    with pytest.raises(ValueError, match="whole frames of 600 samples"):
        wire.read_request(request("", 30, resume=pb.Resume(samples=601)), FACTS)


def test_without_motion_no_frame_is_needed():
    asked = pb.RespondRequest(session_id="s", response_id="r", audio=True, resume=pb.Resume(samples=1200))
    assert wire.read_request(asked, FACTS).options.resume == Resume((), 0, 1200)
    packet = wire.PacketStream(asked, FACTS).packet(StepOutput("on", PCM[:STEP], MOTION[:2], 1200, affect=Affect()))
    assert (packet.pts_samples, len(packet.pcm16), packet.HasField("motion")) == (1200, 2 * STEP, False)


def test_what_was_said_comes_with_its_tokens():
    items = [pb.Item(role=pb.Item.ASSISTANT, text="Hi.", tokens=[4, 5]), pb.Item(role=pb.Item.ASSISTANT, text="Ho.")]
    asked = wire.read_request(pb.RespondRequest(session_id="s", response_id="r", items=items), FACTS)
    assert asked.items == (AssistantTurn("Hi.", (4, 5)), AssistantTurn("Ho."))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"instructions": "Be kind. " * 800_000},
            r"the instructions may have 32,768 characters, not 7,200,000: .* context has 2,048 tokens",
        ),
        ({"tools_json": "[" + " " * 65_535 + "]"}, "the tools may have 65,536 characters"),
        ({"items": [pb.Item(role=pb.Item.USER, text="a" * 200_001)]}, "200000 characters"),
        ({"items": [pb.Item(role=pb.Item.USER, text="a")] * 1001}, "1000 items"),
    ],
)
def test_what_cannot_fit_is_refused_by_its_length(fields: dict, message: str):
    with pytest.raises(ValueError, match=message):
        wire.read_request(request("arkit61", 40, **fields), FACTS)


def test_what_may_just_fit_is_read():
    fields = {"instructions": "a" * 32_768, "tools_json": "[" + " " * 65_534 + "]"}
    assert len(wire.read_request(request("arkit61", 40, **fields), FACTS).instructions) == 32_768
