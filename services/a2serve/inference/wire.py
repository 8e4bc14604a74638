"""Protobuf in, exchange values out, and back: the only place that knows the field names of avatar.proto.

What cannot be right is refused here with ValueError, before it costs a slot.
"""

from a2llm.affect import Affect
from a2llm.language.chat import Persona
from a2llm.language.items import AssistantTurn, Item, SystemText, ToolCall, ToolResult, UserTurn
from a2llm.language.tools import AUTO, parse_tools
from a2llm.motion_stream import Floats, MotionStream, check_target, known_before, rigs, to_f16
from a2llm.pcm16 import to_pcm16
from a2llm.reply_options import ReplyOptions, Resume
from a2llm.rig import ARKIT61, get_rig
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.inference.ears import Hearing, Sound
from a2serve.inference.exchange import Ask, Finish, Piece, Usage
from a2serve.inference.limits import check_sizes
from a2serve.inference.model import Facts

_REASONS = {
    "completed": pb.Done.COMPLETED,
    "max_output_tokens": pb.Done.MAX_OUTPUT_TOKENS,
    "cancelled": pb.Done.CANCELLED,
    "content": pb.Done.CONTENT,
}
DEFAULT_RIG = ARKIT61.name


def read_ask(request: pb.RespondRequest, facts: Facts) -> Ask:
    """Raises ValueError with one sentence, or RigUnavailable."""
    if not request.session_id or not request.response_id:
        raise ValueError("session_id and response_id are needed")
    check_sizes(request, facts.context_tokens)
    if request.motion_hz:
        check_target(request.rig or DEFAULT_RIG, request.motion_hz, facts.flame, facts.clock.motion_hz)
    options = _options(request, _resume(request, facts) if request.HasField("resume") else None)
    return Ask(
        request.session_id,
        request.response_id,
        _persona(request, facts),
        _items(request),
        options,
        request.burst,
        request.tenant,
        request.tenant_weight or 1.0,
        request.comes_back,
    )


def _options(request: pb.RespondRequest, resume: Resume | None) -> ReplyOptions:
    return ReplyOptions(
        seed=request.seed,
        max_tokens=request.max_output_tokens or None,
        audio=request.audio,
        temperature=request.temperature if request.HasField("temperature") else None,
        affect=_affect(request.affect) if request.HasField("affect") else None,
        tools=parse_tools(request.tools_json),
        tool_choice=request.tool_choice or AUTO,
        resume=resume,
    )


def _resume(request: pb.RespondRequest, facts: Facts) -> Resume:
    """From where PacketStream has to be fed: with the frame of motion before the one that is missing, where it needs that."""
    asked, unit = request.resume, facts.clock.samples_per_motion_frame
    if asked.samples % unit:
        raise ValueError(f"a response can go on behind whole frames of {unit} samples, not {asked.samples}")
    return Resume(tuple(asked.tokens), asked.words, asked.samples - unit * _known_before(request, facts))


def _known_before(request: pb.RespondRequest, facts: Facts) -> int:
    """Frames of the model's motion; none where there is no motion."""
    delivered = request.resume.samples // facts.clock.samples_per_motion_frame
    return known_before(request.motion_hz, facts.clock.motion_hz, delivered) if request.audio and request.motion_hz else 0


def _persona(request: pb.RespondRequest, facts: Facts) -> Persona:
    name = request.persona or next(iter(facts.personas))
    if name not in facts.personas:
        raise ValueError(f"unknown persona {name!r}: choose one of {', '.join(facts.personas)}")
    known = facts.personas[name]
    baseline = _affect(request.affect_baseline) if request.HasField("affect_baseline") else known.baseline
    return Persona(name, request.instructions or known.instructions, baseline, known.avatar, known.voice)


def _items(request: pb.RespondRequest) -> tuple[Item, ...]:
    return tuple(_item(item) for item in request.items)


def _item(item: pb.Item) -> Item:
    match item.role:
        case pb.Item.SYSTEM:
            return SystemText(item.text)
        case pb.Item.USER:
            return UserTurn(item.text, _affect(item.voice_affect))
        case pb.Item.ASSISTANT:
            return AssistantTurn(item.text, tuple(item.tokens))
        case pb.Item.CALL:
            return ToolCall(item.name, item.text, item.call_id)
        case pb.Item.TOOL:
            return ToolResult(item.text, item.call_id)
        case _:
            raise ValueError("every item needs a role")


def _affect(affect: pb.Affect) -> Affect:
    return Affect(affect.category or "neutral", affect.intensity)


def write_affect(affect: Affect) -> pb.Affect:
    return pb.Affect(category=affect.category, intensity=affect.intensity)


class PacketStream:
    """Pieces of one response -> packets. Of what was delivered before (`resume`) nothing leaves."""

    def __init__(self, request: pb.RespondRequest, facts: Facts) -> None:
        self._id, self._delivered, self._revision = request.response_id, request.resume.samples, facts.revision
        self._rate_hz = facts.clock.sample_rate_hz
        wanted = request.audio and request.motion_hz
        rig, frames = request.rig or DEFAULT_RIG, self._delivered // facts.clock.samples_per_motion_frame
        self._motion = MotionStream(rig, request.motion_hz, facts.clock.motion_hz, facts.flame, frames) if wanted else None

    def packet(self, piece: Piece) -> pb.Packet:
        known = max(0, self._delivered - piece.pts_samples)
        packet = pb.Packet(
            response_id=self._id,
            pts_samples=piece.pts_samples + known,
            text=piece.text,
            tokens=piece.tokens,
            usage=_usage(piece.usage),
            revision=self._revision,
            sample_rate_hz=self._rate_hz,
        )
        self._revision = ""
        if piece.pcm is not None:
            packet.pcm16 = to_pcm16(piece.pcm[known:])
        if piece.motion is not None and self._motion:
            first, frames = self._motion.feed(piece.motion, last=piece.finish is not None)
            if len(frames):
                packet.motion.CopyFrom(write_motion(self._motion.rig, self._motion.hz, first, frames))
        if piece.affect is not None:
            packet.affect.CopyFrom(write_affect(piece.affect))
        if piece.call is not None:
            packet.function_call.CopyFrom(pb.FunctionCall(call_id=piece.call.call_id, name=piece.call.name, arguments=piece.call.arguments))
        if piece.finish is not None:
            packet.done.CopyFrom(_done(piece.finish))
        return packet


def _done(finish: Finish) -> pb.Done:
    timings = finish.timings
    return pb.Done(
        reason=_REASONS[finish.reason],
        text=finish.text,
        usage=_usage(finish.usage),
        timings=pb.Timings(
            queue_ms=timings.queue_ms,
            prefill_ms=timings.prefill_ms,
            first_token_ms=timings.first_token_ms,
            first_audio_ms=timings.first_audio_ms,
            compute_ms=timings.compute_ms,
        ),
    )


def _usage(usage: Usage) -> pb.Usage:
    return pb.Usage(
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_text_tokens=usage.output_text_tokens,
        output_audio_ms=usage.output_audio_ms,
    )


def write_motion(rig: str, hz: int, first: int, frames: Floats) -> pb.Motion:
    return pb.Motion(rig=rig, hz=hz, first_frame=first, frames=len(frames), values_f16=to_f16(frames))


def read_sound(request: pb.ListenRequest) -> Sound:
    """Raises ValueError with one sentence."""
    if not request.session_id or not request.utterance_id:
        raise ValueError("session_id and utterance_id are needed")
    if len(request.pcm16) % 2:
        raise ValueError("pcm16 must be whole 16-bit samples")
    return Sound(
        request.session_id,
        request.utterance_id,
        request.offset_samples,
        request.pcm16,
        request.rate_hz or RATE_HZ,
        request.final,
        request.words_now,
    )


def write_hearing(utterance_id: str, heard: Hearing) -> pb.ListenReply:
    return pb.ListenReply(
        utterance_id=utterance_id,
        received_samples=heard.received_samples,
        transcript=heard.transcript,
        stable_chars=heard.stable_chars,
        turn_end_probability=heard.turn_end,
        affect=write_affect(heard.affect),
        valence=heard.valence,
        arousal=heard.arousal,
        affect_confidence=heard.affect_confidence,
        speech_confidence=heard.speech_confidence,
        compute_ms=heard.compute_ms,
    )


def write_info(facts: Facts, slots: int, free: int) -> pb.ModelInfo:
    return pb.ModelInfo(
        revision=facts.revision,
        sample_rate_hz=facts.clock.sample_rate_hz,
        audio_frame_hz=int(facts.clock.audio_frame_hz),
        motion_per_audio=facts.clock.motion_per_audio,
        motion_hz=facts.clock.motion_hz,
        rigs=[pb.Rig(name=name, coefficient_names=get_rig(name).names) for name in rigs(facts.flame)],
        personas=[
            pb.Persona(name=p.name, instructions=p.instructions, affect_baseline=write_affect(p.baseline), avatar=p.avatar, voice=p.voice)
            for p in facts.personas.values()
        ],
        slots=slots,
        slots_free=free,
        affects=facts.affects,
        context_tokens=facts.context_tokens,
    )
