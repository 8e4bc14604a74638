"""Between protobuf messages and the gateway's dataclasses; nothing else knows both."""

from typing import Any

from a2serve.contracts.media_clock import RATE_HZ
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.gateway.model_client.interface import (
    Affect,
    Done,
    FinishReason,
    FunctionCall,
    Heard,
    IdleRequest,
    ModelInfo,
    Motion,
    Packet,
    PersonaInfo,
    PromptItem,
    ResponseRequest,
    Resume,
    SpokenAudio,
    Timings,
    Usage,
)

_ROLES = {
    "system": pb.Item.SYSTEM,
    "user": pb.Item.USER,
    "assistant": pb.Item.ASSISTANT,
    "call": pb.Item.CALL,
    "tool": pb.Item.TOOL,
}
_REASONS: dict[Any, FinishReason] = {
    pb.Done.MAX_OUTPUT_TOKENS: "max_output_tokens",
    pb.Done.CANCELLED: "cancelled",
    pb.Done.CONTENT: "content",
}
_STATES = {
    "idle": pb.IdleRequest.IDLE,
    "listening": pb.IdleRequest.LISTENING,
    "thinking": pb.IdleRequest.THINKING,
    "return": pb.IdleRequest.RETURN,
}


def respond_request(request: ResponseRequest, tenant_weight: float = 1.0, comes_back: bool = False) -> pb.RespondRequest:
    """RespondRequest of a request."""
    return pb.RespondRequest(
        session_id=request.session_id,
        response_id=request.response_id,
        tenant=request.tenant,
        tenant_weight=tenant_weight,
        comes_back=comes_back,
        persona=request.persona,
        instructions=request.instructions,
        items=[_item(item) for item in request.items],
        audio=request.audio,
        rig=request.rig,
        motion_hz=request.motion_hz,
        tools_json=request.tools_json,
        tool_choice=request.tool_choice,
        max_output_tokens=request.max_output_tokens,
        seed=request.seed,
        affect=_affect_message(request.affect),
        affect_baseline=_affect_message(request.affect_baseline),
        burst=request.burst,
        resume=_resume(request.resume) if request.resume else None,
    )


def listen_request(audio: SpokenAudio) -> pb.ListenRequest:
    """ListenRequest at 24 kHz."""
    return pb.ListenRequest(
        session_id=audio.session_id,
        utterance_id=audio.utterance_id,
        offset_samples=audio.offset_samples,
        pcm16=audio.pcm16,
        rate_hz=RATE_HZ,
        final=audio.final,
        last_assistant_text=audio.last_assistant_text,
        words_now=audio.words_now,
    )


def idle_request(request: IdleRequest) -> pb.IdleRequest:
    """IdleRequest of a request."""
    return pb.IdleRequest(
        session_id=request.session_id,
        state=_STATES[request.state],
        from_frame=request.from_frame,
        frames=request.frames,
        rig=request.rig,
        motion_hz=request.motion_hz,
        nod_frames=request.nod_frames,
        seed=request.seed,
        start_f16=request.start_f16,
    )


def packet(message: pb.Packet) -> Packet:
    """Packet of a message."""
    return Packet(
        response_id=message.response_id,
        pts_samples=message.pts_samples,
        text=message.text,
        pcm16=message.pcm16,
        motion=motion(message.motion) if message.HasField("motion") else None,
        affect=affect(message.affect) if message.HasField("affect") else None,
        function_call=_call(message.function_call) if message.HasField("function_call") else None,
        done=_done(message.done) if message.HasField("done") else None,
        tokens=tuple(message.tokens),
        usage=_usage(message.usage) if message.HasField("usage") else None,
        revision=message.revision,
        sample_rate_hz=message.sample_rate_hz or RATE_HZ,
    )


def motion(message: pb.Motion) -> Motion:
    """Motion of a message."""
    return Motion(message.rig, message.hz, message.first_frame, message.frames, message.values_f16)


def affect(message: pb.Affect) -> Affect:
    """Affect of a message."""
    return Affect(message.category, message.intensity)


def heard(message: pb.ListenReply) -> Heard:
    """Heard of a message."""
    return Heard(
        received_samples=message.received_samples,
        transcript=message.transcript,
        stable_chars=message.stable_chars,
        turn_end_probability=message.turn_end_probability if message.HasField("turn_end_probability") else None,
        affect=affect(message.affect) if message.HasField("affect") else None,
        valence=message.valence,
        arousal=message.arousal,
        affect_confidence=message.affect_confidence,
    )


def model_info(message: pb.ModelInfo) -> ModelInfo:
    """ModelInfo of a message."""
    personas = tuple(
        PersonaInfo(p.name, p.instructions, p.avatar, p.voice, affect(p.affect_baseline) if p.HasField("affect_baseline") else None)
        for p in message.personas
    )
    return ModelInfo(
        revision=message.revision,
        sample_rate_hz=message.sample_rate_hz,
        audio_frame_hz=message.motion_hz / (message.motion_per_audio or 2),
        motion_hz=message.motion_hz,
        rigs={rig.name: tuple(rig.coefficient_names) for rig in message.rigs},
        personas=personas,
        slots=message.slots,
        slots_free=message.slots_free,
        affects=tuple(message.affects),
        context_tokens=message.context_tokens,
    )


def _item(item: PromptItem) -> pb.Item:
    voice = _affect_message(item.voice_affect)
    return pb.Item(role=_ROLES[item.role], text=item.text, voice_affect=voice, call_id=item.call_id, name=item.name, tokens=item.tokens)


def _resume(value: Resume) -> pb.Resume:
    return pb.Resume(tokens=value.tokens, words=value.words, samples=value.samples)


def _affect_message(value: Affect | None) -> pb.Affect | None:
    return pb.Affect(category=value.category, intensity=value.intensity) if value else None


def _call(message: pb.FunctionCall) -> FunctionCall:
    return FunctionCall(message.call_id, message.name, message.arguments)


def _done(message: pb.Done) -> Done:
    timings = message.timings
    return Done(
        reason=_REASONS.get(message.reason, "completed"),
        text=message.text,
        usage=_usage(message.usage),
        timings=Timings(timings.queue_ms, timings.prefill_ms, timings.first_token_ms, timings.first_audio_ms, timings.compute_ms),
    )


def _usage(message: pb.Usage) -> Usage:
    return Usage(message.input_tokens, message.cached_tokens, message.output_text_tokens, message.output_audio_ms)
