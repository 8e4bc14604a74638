"""The face while nobody speaks: idle, listening, thinking, and the way back to rest after a cut. Requests in, Motion out."""

from a2llm.affect import Affect
from a2llm.motion_stream import Floats, check_target, from_f16
from a2llm.presence import presence, return_to_neutral
from a2llm.rig import ARKIT61, get_rig, retarget
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.inference.model import Facts
from a2serve.inference.wire import DEFAULT_RIG, write_motion

LONGEST_S = 10
MOST_NODS = 100
_RETURN_S = 0.25
_STATES = {pb.IdleRequest.IDLE: "idle", pb.IdleRequest.LISTENING: "listening", pb.IdleRequest.THINKING: "thinking"}


def idle_motion(request: pb.IdleRequest, facts: Facts) -> pb.Motion:
    """Raises ValueError with one sentence, or RigUnavailable."""
    rig, hz = request.rig or DEFAULT_RIG, request.motion_hz
    check_target(rig, hz, facts.flame, facts.clock.motion_hz)
    if request.frames > LONGEST_S * hz or len(request.nod_frames) > MOST_NODS:
        raise ValueError(f"one call gives at most {LONGEST_S} s and {MOST_NODS} nods")
    if request.state == pb.IdleRequest.RETURN:
        pose = from_f16(request.start_f16, get_rig(rig).size)
        frames = return_to_neutral(pose, request.frames or round(_RETURN_S * hz), get_rig(rig))
    else:
        frames = retarget(_present(request), rig, facts.flame)
    return write_motion(rig, hz, request.from_frame, frames)


def _present(request: pb.IdleRequest) -> Floats:
    """Frames arkit61 [F, 61] of a state that lasts."""
    if request.state not in _STATES:
        raise ValueError(f"unknown state {request.state}")
    affect = Affect(request.affect.category or "neutral", request.affect.intensity)
    start = from_f16(request.start_f16, ARKIT61.size) if request.start_f16 else None
    return presence(
        _STATES[request.state], request.from_frame, request.frames, request.seed, request.motion_hz, list(request.nod_frames), affect, start
    )
