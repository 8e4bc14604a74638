"""Messages reach an engine behind Triton as they were sent, and its answers come back as they were."""

from dataclasses import fields, replace

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.clock import FrameClock
from a2llm.language.chat import personas
from a2llm.messages import (
    AssistantTurn,
    Done,
    FunctionCall,
    GivenWords,
    ResponseOptions,
    ResponseRequest,
    Resume,
    StepOutput,
    SystemText,
    Timings,
    Tool,
    ToolResult,
    Usage,
    UserTurn,
)
from a2llm.pcm16 import to_pcm16
from a2serve.contracts.proto import engine_pb2 as pb
from a2serve.inference import triton_wire, wire
from a2serve.inference.model import Facts

ADA = replace(personas()["ada"], affect_baseline=Affect(AFFECTS[1], 0.25))  # the wire has 32 bits
FACTS = Facts("revision", FrameClock(), 2048, personas())
ITEMS = (
    SystemText("Be brief."),
    UserTurn("Dim the light", Affect(AFFECTS[1], 0.5)),
    AssistantTurn("At once.", (5, 7)),
    FunctionCall("dim", '{"on": true}', "call_1"),
    ToolResult("done", "call_1"),
)
OPTIONS = ResponseOptions(
    seed=2**40,
    max_output_tokens=7,
    temperature=0.5,
    top_p=0.3,
    audio=False,
    affect=Affect(AFFECTS[2], 0.25),
    expressiveness=1.25,
    voice="heart",
    tools=(Tool("dim", "the light", {"type": "object", "properties": {"on": {"type": "boolean"}}}),),
    tool_choice="dim",
    resume=Resume((3, 4, 5), 2, 1200, Affect(AFFECTS[1], 0.75)),
    given=GivenWords("At once, sir.", True),
)
EVERYTHING = ResponseRequest(
    "session",
    "response",
    ITEMS,
    OPTIONS,
    "ada",
    "Be kind.",
    Affect(AFFECTS[1], 0.125),
    rig="",
    motion_hz=FrameClock().motion_hz,
    burst=True,
    tenant="acme",
    tenant_weight=2.5,
    comes_back=True,
    usual_voice="heart",
)
LITTLE = ResponseRequest("session", "response", (UserTurn("Hello"),), motion_hz=FrameClock().motion_hz).answered_by(ADA)
SILENT = StepOutput(pts_samples=2400)


def there(request: ResponseRequest) -> ResponseRequest:
    """Reads a request as the engine does."""
    sent = triton_wire.respond_request(request).SerializeToString()
    return wire.read_request(pb.EngineRequest.FromString(sent).respond, FACTS)


def test_a_request_arrives_whole():
    assert there(EVERYTHING) == EVERYTHING
    assert there(LITTLE) == LITTLE


def test_the_engine_is_asked_for_the_models_own_motion():
    other = replace(LITTLE, rig="oculus15", motion_hz=25)
    assert there(other) == LITTLE


def test_nothing_was_forgotten():
    """A field that is added to ResponseOptions or StepOutput has to be set here, and then has to arrive."""
    usual, made = ResponseOptions(), outputs()
    assert not [f.name for f in fields(OPTIONS) if getattr(OPTIONS, f.name) == getattr(usual, f.name)]
    assert not [f.name for f in fields(StepOutput) if all(_is_empty(getattr(output, f.name)) for output in made)]


def _is_empty(value: object) -> bool:
    return value is None or (not isinstance(value, np.ndarray) and value in ("", 0, ()))


def outputs() -> list[StepOutput]:
    rng = np.random.default_rng(0)
    pcm = [rng.uniform(-1, 1, 1200).astype(np.float32) for _ in range(2)]
    motion = [rng.uniform(0, 1, (2, 61)).astype(np.float32) for _ in range(2)]
    end = Done("max_output_tokens", "Hello there", Usage(9, 5, 3, 100), Timings(0.5, 10.0, 20.0, 40.0, 60.0))
    return [
        StepOutput("Hello", pcm[0], motion[0], tokens=(1, 2), affect=Affect(AFFECTS[1], 0.5), usage=Usage(9, 5, 2, 50)),
        StepOutput("there", pcm[1], motion[1], 1200, usage=Usage(9, 5, 3, 100)),
        replace(SILENT, last=True, function_call=FunctionCall("dim", "{}", "call_1"), done=end, usage=end.usage),
    ]


def test_outputs_come_back_with_the_precision_of_the_clients_wire():
    packets = wire.PacketStream(triton_wire.respond_request(LITTLE).respond, FACTS)
    for output in outputs():
        sent = pb.EngineResponse(packet=packets.packet(output)).SerializeToString()
        back = wire.read_output(pb.EngineResponse.FromString(sent).packet)
        assert replace(back, pcm=None, motion=None) == replace(output, pcm=None, motion=None)
        assert to_pcm16(back.pcm) == to_pcm16(output.pcm) and back.pcm.dtype == back.motion.dtype == np.float32
        np.testing.assert_array_equal(back.motion, output.motion.astype("<f2") if len(output.motion) else np.zeros((0, 61)))
