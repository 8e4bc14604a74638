"""Exchange values to the messages of engine.proto and back: what TritonEngine says, and what it hears.

The other side reads with `wire`, as a gateway's request is read. Packets carry the model's own motion, as float16, and PCM of
16 bit: what a client gets is the same to the bit as from an engine in the process, but for motion at other rates or rigs,
which is interpolated from float16.
"""
# tritonclient has no types:
# pyright: reportMissingTypeStubs=false

import json
from dataclasses import asdict
from typing import Any, cast

import numpy as np
from tritonclient.grpc import InferInput, InferResult

from a2llm.affect import Affect
from a2llm.clock import FrameClock
from a2llm.language.items import AssistantTurn, Item, SystemText, ToolCall, ToolResult, UserTurn
from a2llm.language.tools import Tool
from a2llm.pcm16 import from_pcm16
from a2llm.rig import ARKIT61
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto import engine_pb2 as engine
from a2serve.inference.exchange import Ask, Call, EngineDown, Finish, Floats, Piece, Reason, Refused, Timings, Usage
from a2serve.inference.wire import write_affect

INPUT, OUTPUT = "request", "packet"  # of the model, as its config.pbtxt has them
_REASONS: dict[int, Reason] = {
    pb.Done.COMPLETED: "completed",
    pb.Done.MAX_OUTPUT_TOKENS: "max_output_tokens",
    pb.Done.CANCELLED: "cancelled",
    pb.Done.CONTENT: "content",
}


def infer_request(request: engine.EngineRequest, name: str, model: str, version: str, trace: dict[str, str]) -> dict[str, Any]:
    """What Triton's client sends as one request. name: the request's id. version "": the newest that is loaded. trace: W3C context."""
    data = np.frombuffer(request.SerializeToString(), np.uint8)
    tensor = cast("Any", InferInput)(INPUT, data.shape, "UINT8").set_data_from_numpy(data)
    return {"model_name": model, "model_version": version, "request_id": name, "inputs": [tensor], "parameters": trace}


def is_last(reply: engine.EngineReply) -> bool:
    """Nothing follows it."""
    return not reply.HasField("packet") or reply.packet.HasField("done")


def read_reply(result: InferResult) -> engine.EngineReply:
    """Raises what came instead of an answer: Refused, EngineDown or ValueError."""
    reply = engine.EngineReply.FromString(cast("Any", result).as_numpy(OUTPUT).tobytes())
    match reply.WhichOneof("what"):
        case "refused":
            raise Refused(reply.refused.message, reply.refused.retry_after_ms)
        case "down":
            raise EngineDown(reply.down)
        case "invalid":
            raise ValueError(reply.invalid)
        case _:
            return reply


def write_ask(ask: Ask) -> pb.RespondRequest:
    """`wire.read_ask` gives the same Ask again, but for the time of its arrival."""
    persona, options = ask.persona, ask.options
    return pb.RespondRequest(
        session_id=ask.session_id,
        response_id=ask.response_id,
        persona=persona.name,
        instructions=persona.instructions,
        affect_baseline=write_affect(persona.baseline),
        items=[_item(item) for item in ask.items],
        audio=options.audio,
        motion_hz=FrameClock().motion_hz,
        tools_json=_tools_json(options.tools),
        tool_choice=options.tool_choice,
        max_output_tokens=options.max_tokens or 0,
        seed=options.seed,
        temperature=options.temperature,
        burst=ask.burst,
        tenant=ask.tenant,
        tenant_weight=ask.tenant_weight,
        comes_back=ask.comes_back,
        affect=None if options.affect is None else write_affect(options.affect),
        resume=pb.Resume(**asdict(options.resume)) if options.resume else None,
    )


def _tools_json(tools: tuple[Tool, ...]) -> str:
    raw = [{"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)} for tool in tools]
    return json.dumps(raw) if raw else ""


def _item(item: Item) -> pb.Item:
    match item:
        case SystemText():
            return pb.Item(role=pb.Item.SYSTEM, text=item.text)
        case UserTurn():
            return pb.Item(role=pb.Item.USER, text=item.text, voice_affect=write_affect(item.voice))
        case AssistantTurn():
            return pb.Item(role=pb.Item.ASSISTANT, text=item.text, tokens=item.ids)
        case ToolCall():
            return pb.Item(role=pb.Item.CALL, name=item.name, text=item.arguments, call_id=item.call_id)
        case ToolResult():
            return pb.Item(role=pb.Item.TOOL, text=item.text, call_id=item.call_id)


def read_packet(packet: pb.Packet) -> Piece:
    """The piece that `wire.PacketStream` wrote."""
    affect = Affect(packet.affect.category, packet.affect.intensity) if packet.HasField("affect") else None
    call = packet.function_call
    return Piece(
        packet.pts_samples,
        packet.text,
        _pcm(packet.pcm16),
        _motion(packet.motion) if packet.HasField("motion") else None,
        affect,
        Call(call.call_id, call.name, call.arguments) if packet.HasField("function_call") else None,
        _finish(packet.done) if packet.HasField("done") else None,
        tuple(packet.tokens),
        _usage(packet.usage),
    )


def _pcm(pcm16: bytes) -> Floats | None:
    """[S] in -1..1; none for no samples."""
    return from_pcm16(pcm16) if pcm16 else None


def _motion(motion: pb.Motion) -> Floats:
    """[F, 61]"""
    return np.frombuffer(motion.values_f16, "<f2").astype(np.float32).reshape(motion.frames, ARKIT61.size)


def _finish(done: pb.Done) -> Finish:
    timings = done.timings
    return Finish(
        _REASONS[done.reason],
        done.text,
        _usage(done.usage),
        Timings(timings.queue_ms, timings.prefill_ms, timings.first_token_ms, timings.first_audio_ms, timings.compute_ms),
    )


def _usage(usage: pb.Usage) -> Usage:
    return Usage(usage.input_tokens, usage.cached_tokens, usage.output_text_tokens, usage.output_audio_ms)
