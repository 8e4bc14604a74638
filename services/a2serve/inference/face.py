"""The face while nobody speaks: idle, listening, thinking, and the way back to rest after a cut. Requests in, Motion out."""

from a2llm.idle_face import idle_face, return_to_neutral
from a2llm.messages import Affect, IdleRequest, Motion
from a2llm.motion_stream import Floats, check_target, from_f16
from a2llm.rig import ARKIT61, get_rig, retarget
from a2serve.inference.model import Facts
from a2serve.inference.wire import DEFAULT_RIG, make_motion

LONGEST_S = 10
MOST_NODS = 100
_RETURN_S = 0.25


def idle_motion(request: IdleRequest, facts: Facts) -> Motion:
    """Raises ValueError with one sentence, or RigUnavailable."""
    rig, hz = request.rig or DEFAULT_RIG, request.motion_hz
    check_target(rig, hz, facts.flame, facts.clock.motion_hz)
    if request.frames > LONGEST_S * hz or len(request.nod_frames) > MOST_NODS:
        raise ValueError(f"one call gives at most {LONGEST_S} s and {MOST_NODS} nods")
    if request.state == "return":
        pose = from_f16(request.start_f16, get_rig(rig).size)
        frames = return_to_neutral(pose, request.frames or round(_RETURN_S * hz), get_rig(rig))
    else:
        frames = retarget(_present(request), rig, facts.flame)
    return make_motion(rig, hz, request.from_frame, frames)


def _present(request: IdleRequest) -> Floats:
    """Frames arkit61 [F, 61] of a state that lasts."""
    affect = (request.affect or Affect()).checked()
    start = from_f16(request.start_f16, ARKIT61.size) if request.start_f16 else None
    return idle_face(
        request.state, request.from_frame, request.frames, request.seed, request.motion_hz, list(request.nod_frames), affect, start
    )
