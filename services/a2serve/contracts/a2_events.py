"""Our own server events: sent only to a session that opted in with `session.a2`."""

from typing import Literal

from a2serve.contracts.base64_bytes import Base64BytesOrRows
from a2serve.contracts.server_events import ServerEventBase


class MotionHeader(ServerEventBase):
    """Meaning of the motion values; sent once per response, before its first motion."""

    type: Literal["a2.motion.header"] = "a2.motion.header"
    response_id: str
    item_id: str
    rig: str
    fps: int
    encoding: Literal["f16_base64", "json"]
    coefficient_names: list[str]


class MotionDelta(ServerEventBase):
    """Frames of a response. `start_ms` is on the clock of the item's audio; frame k is at start_ms + k * 1000 / fps.

    `values`: base64 of little-endian float16 [frames, C], or nested lists, as `encoding` of the header says.
    """

    type: Literal["a2.motion.delta"] = "a2.motion.delta"
    response_id: str
    item_id: str
    output_index: int
    content_index: int = 0
    sequence: int
    start_ms: float
    frames: int
    values: Base64BytesOrRows


class MotionDone(ServerEventBase):
    """No more motion. After a cut, `end_ms` is where audio, transcript and motion end, all at the same millisecond."""

    type: Literal["a2.motion.done"] = "a2.motion.done"
    response_id: str
    item_id: str
    end_ms: int


class ListeningDelta(ServerEventBase):
    """The face while it does not speak, on the clock of the input audio. `state: return` eases back after a cut."""

    type: Literal["a2.listening.delta"] = "a2.listening.delta"
    state: Literal["idle", "listening", "thinking", "return"]
    rig: str
    fps: int
    sequence: int
    start_ms: float
    frames: int
    values: Base64BytesOrRows


class AffectEvent(ServerEventBase):
    """How a turn felt: the user's (`item_id` of the user's item) or the avatar's (`response_id`)."""

    type: Literal["a2.affect"] = "a2.affect"
    whose: Literal["user", "avatar"]
    item_id: str
    response_id: str | None = None
    category: str
    intensity: float
    valence: float | None = None
    arousal: float | None = None
    confidence: float | None = None


class Duck(ServerEventBase):
    """Play softly, because the user may be interrupting. Either `a2.unduck` follows or the response is cut."""

    type: Literal["a2.duck"] = "a2.duck"
    response_id: str


class Unduck(ServerEventBase):
    """It was nothing: play on."""

    type: Literal["a2.unduck"] = "a2.unduck"
    response_id: str


class GoAway(ServerEventBase):
    """The socket will close; reconnect with `?resume=<resume_handle>&last_sequence=<n>`."""

    type: Literal["a2.go_away"] = "a2.go_away"
    reason: Literal["drain", "session_limit", "slow_reader", "idle"]
    time_left_ms: int
    resume_handle: str
