"""Checks of a request before the engine sees it, what a replica adds to it, and the engine's outputs as clients get them.

Field by field the wire is `contracts.proto.convert`'s business. What cannot be right is refused here with ValueError, before it
costs a slot.
"""

from dataclasses import replace

import numpy as np

from a2llm.messages import Affect, ListenRequest, ModelInfo, Motion, Packet, Persona, ResponseRequest, Resume, StepOutput, Usage, UserTurn
from a2llm.motion_stream import Floats, MotionStream, check_target, known_before, rigs, to_f16
from a2llm.pcm16 import from_pcm16, to_pcm16
from a2llm.rig import ARKIT61, get_rig
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.convert import from_wire, to_wire
from a2serve.inference.limits import check_sizes
from a2serve.inference.model import Facts

DEFAULT_RIG = ARKIT61.name
NEUTRAL = Affect()


def read_request(received: pb.RespondRequest, facts: Facts) -> ResponseRequest:
    """With the persona's own where the client names nothing else. Raises ValueError with one sentence, or RigUnavailable."""
    if not received.session_id or not received.response_id:
        raise ValueError("session_id and response_id are needed")
    check_sizes(received, facts.context_tokens)
    request = from_wire(ResponseRequest, received)
    if request.motion_hz:
        check_target(request.rig or DEFAULT_RIG, request.motion_hz, facts.flame, facts.clock.motion_hz)
    options = replace(request.options, resume=_resume(request, facts))
    if options.voice and options.voice not in facts.voices:
        raise ValueError(f"unknown voice {options.voice!r}: choose one of {', '.join(facts.voices)}")
    request = replace(request, options=options).answered_by(_persona(request, facts))
    heard = [item.voice_affect for item in request.items if isinstance(item, UserTurn)]
    for affect in (options.affect, request.affect_baseline, *heard):
        (affect or NEUTRAL).checked()
    return request


def _resume(request: ResponseRequest, facts: Facts) -> Resume | None:
    """Place from which PacketStream has to be fed: with the frame of motion before the missing one, where it needs that."""
    resume, unit = request.options.resume, facts.clock.samples_per_motion_frame
    if not resume:
        return None
    if resume.samples % unit:
        raise ValueError(f"a response can go on behind whole frames of {unit} samples, not {resume.samples}")
    moves = request.options.audio and request.motion_hz
    known = known_before(request.motion_hz, facts.clock.motion_hz, resume.samples // unit) if moves else 0
    return replace(resume, samples=resume.samples - unit * known)


def _persona(request: ResponseRequest, facts: Facts) -> Persona:
    name = request.persona or next(iter(facts.personas))
    if name not in facts.personas:
        raise ValueError(f"unknown persona {name!r}: choose one of {', '.join(facts.personas)}")
    return facts.personas[name]


class PacketStream:
    """Outputs of one response -> packets. Of what was delivered before (`resume`) nothing leaves."""

    def __init__(self, request: pb.RespondRequest, facts: Facts) -> None:
        self._id, self._delivered, self._revision = request.response_id, request.resume.samples, facts.revision
        self._rate_hz = facts.clock.sample_rate_hz
        wanted = request.audio and request.motion_hz
        rig, frames = request.rig or DEFAULT_RIG, self._delivered // facts.clock.samples_per_motion_frame
        self._motion = MotionStream(rig, request.motion_hz, facts.clock.motion_hz, facts.flame, frames) if wanted else None

    def packet(self, output: StepOutput) -> pb.Packet:
        known, revision = max(0, self._delivered - output.pts_samples), self._revision
        self._revision = ""
        return to_wire(
            Packet(
                self._id,
                output.pts_samples + known,
                output.text,
                to_pcm16(output.pcm[known:]),
                self._frames(output),
                output.affect,
                output.function_call,
                output.done,
                output.tokens,
                output.usage,
                revision,
                self._rate_hz,
            )
        )

    def _frames(self, output: StepOutput) -> Motion | None:
        if not (self._motion and len(output.pcm)):
            return None
        first, frames = self._motion.feed(output.motion, last=output.done is not None)
        return make_motion(self._motion.rig, self._motion.hz, first, frames) if len(frames) else None


def read_output(received: pb.Packet) -> StepOutput:
    """The output that a PacketStream of the model's own rig and rate wrote."""
    packet = from_wire(Packet, received)
    frames = np.frombuffer(packet.motion.values_f16 if packet.motion else b"", "<f2").astype(np.float32)
    return StepOutput(
        packet.text,
        from_pcm16(packet.pcm16),
        frames.reshape(-1, ARKIT61.size),
        packet.pts_samples,
        packet.done is not None,
        packet.function_call,
        packet.tokens,
        packet.affect,
        packet.done,
        packet.usage or Usage(),
    )


def make_motion(rig: str, hz: int, first: int, frames: Floats) -> Motion:
    """Makes the message of frames [F, C]."""
    return Motion(rig, hz, first, len(frames), to_f16(frames))


def read_audio(received: pb.ListenRequest) -> ListenRequest:
    """Raises ValueError with one sentence."""
    if not received.session_id or not received.utterance_id:
        raise ValueError("session_id and utterance_id are needed")
    if len(received.pcm16) % 2:
        raise ValueError("pcm16 must be whole 16-bit samples")
    return from_wire(ListenRequest, received)


def model_info(facts: Facts, slots: int, free: int) -> ModelInfo:
    """Description of a replica with so many slots."""
    return ModelInfo(
        facts.revision,
        facts.clock.sample_rate_hz,
        int(facts.clock.audio_frame_hz),
        facts.clock.motion_hz,
        {name: get_rig(name).names for name in rigs(facts.flame)},
        tuple(replace(persona, affect_baseline=persona.affect_baseline or NEUTRAL) for persona in facts.personas.values()),
        slots,
        free,
        facts.affects,
        facts.context_tokens,
        facts.clock.motion_per_audio,
        facts.voices,
    )
