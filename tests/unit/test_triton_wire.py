"""Messages reach an engine behind Triton as they were sent, and its answers come back as they were."""

from dataclasses import fields, replace

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.clock import FrameClock
from a2llm.language.chat import personas
from a2llm.language.items import AssistantTurn, SystemText, ToolCall, ToolResult, UserTurn
from a2llm.language.tools import Tool
from a2llm.pcm16 import to_pcm16
from a2llm.reply_options import ReplyOptions, Resume
from a2serve.contracts.proto import engine_pb2 as pb
from a2serve.inference import triton_wire, wire
from a2serve.inference.exchange import Ask, Call, Finish, Piece, Timings, Usage
from a2serve.inference.model import Facts

ADA = replace(personas()["ada"], baseline=Affect(AFFECTS[1], 0.25))  # the wire has 32 bits
FACTS = Facts("revision", FrameClock(), 2048, personas())
ITEMS = (
    SystemText("Be brief."),
    UserTurn("Dim the light", Affect(AFFECTS[1], 0.5)),
    AssistantTurn("At once.", (5, 7)),
    ToolCall("dim", '{"on": true}', "call_1"),
    ToolResult("done", "call_1"),
)
OPTIONS = ReplyOptions(
    seed=2**40,
    max_tokens=7,
    temperature=0.5,
    audio=False,
    affect=Affect(AFFECTS[2], 0.25),
    tools=(Tool("dim", "the light", {"type": "object", "properties": {"on": {"type": "boolean"}}}),),
    tool_choice="dim",
    resume=Resume((3, 4, 5), 2, 1200),
)
EVERYTHING = Ask(
    "session",
    "response",
    replace(ADA, instructions="Be kind.", baseline=Affect(AFFECTS[1], 0.125)),
    ITEMS,
    OPTIONS,
    True,
    "acme",
    2.5,
    True,
)
LITTLE = Ask("session", "response", ADA, (UserTurn("Hello"),))


def there(ask: Ask) -> Ask:
    """Reads a request as the engine does."""
    sent = pb.EngineRequest(respond=triton_wire.write_ask(ask)).SerializeToString()
    return replace(wire.read_ask(pb.EngineRequest.FromString(sent).respond, FACTS), arrived_s=ask.arrived_s)


def test_an_ask_arrives_whole():
    assert there(EVERYTHING) == EVERYTHING
    assert there(LITTLE) == LITTLE


def test_nothing_was_forgotten():
    """A field that is added to Ask, ReplyOptions or Piece has to be set here, and then has to arrive."""
    usual, end = ReplyOptions(), pieces()
    assert not [f.name for f in fields(OPTIONS) if getattr(OPTIONS, f.name) == getattr(usual, f.name)]
    assert {f.name for f in fields(LITTLE) if getattr(EVERYTHING, f.name) == getattr(LITTLE, f.name)} == {"session_id", "response_id"}
    assert not [f.name for f in fields(Piece) if all(_is_empty(getattr(piece, f.name)) for piece in end)]


def _is_empty(value: object) -> bool:
    return value is None or (not isinstance(value, np.ndarray) and value in ("", 0, ()))


def pieces() -> list[Piece]:
    rng = np.random.default_rng(0)
    pcm = [rng.uniform(-1, 1, 1200).astype(np.float32) for _ in range(2)]
    motion = [rng.uniform(0, 1, (2, 61)).astype(np.float32) for _ in range(2)]
    end = Finish("max_output_tokens", "Hello there", Usage(9, 5, 3, 100), Timings(0.5, 10.0, 20.0, 40.0, 60.0))
    return [
        Piece(0, "Hello", pcm[0], motion[0], Affect(AFFECTS[1], 0.5), tokens=(1, 2), usage=Usage(9, 5, 2, 50)),
        Piece(1200, "there", pcm[1], motion[1], usage=Usage(9, 5, 3, 100)),
        Piece(2400, call=Call("call_1", "dim", "{}"), finish=end, usage=end.usage),
    ]


def test_pieces_come_back_with_the_precision_of_the_clients_wire():
    packets = wire.PacketStream(triton_wire.write_ask(LITTLE), FACTS)
    for piece in pieces():
        sent = pb.EngineReply(packet=packets.packet(piece)).SerializeToString()
        back = triton_wire.read_packet(pb.EngineReply.FromString(sent).packet)
        assert replace(back, pcm=None, motion=None) == replace(piece, pcm=None, motion=None)
        assert (back.pcm is None) == (piece.pcm is None)
        if piece.pcm is not None:
            assert to_pcm16(back.pcm) == to_pcm16(piece.pcm)
            np.testing.assert_array_equal(back.motion, piece.motion.astype("<f2"))
