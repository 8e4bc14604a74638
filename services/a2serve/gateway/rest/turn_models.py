"""Bodies of a REST turn: its request and its response."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.session_config import MotionConfig


class TurnAudio(BaseModel):
    """The user's speech in one piece."""

    model_config = ConfigDict(extra="forbid", strict=True)

    data: str = Field(min_length=1, description="base64")
    format: Literal["wav", "pcm16"] = Field(default="wav", description="pcm16: little-endian, mono, 24 kHz. wav: 16 bit, 8 to 48 kHz")


class ToolOutput(BaseModel):
    """Output of a function that the avatar called."""

    model_config = ConfigDict(extra="forbid", strict=True)

    call_id: str = Field(min_length=1, max_length=64)
    output: str = Field(max_length=100_000)


class TurnCreate(BaseModel):
    """The user's part of a turn: text or audio, or outputs of functions. Everything else has a default."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(default=None, min_length=1, max_length=20_000, examples=["What should I cook tonight?"])
    audio: TurnAudio | None = None
    tool_outputs: list[ToolOutput] = Field(default=[], max_length=32)
    stream: bool = Field(default=True, description="true: server-sent events, as on the socket. false: one JSON at the end")
    motion: MotionConfig | None = Field(default=None, description="also answer with motion of this rig")
    audio_format: Literal["wav", "pcm16"] = Field(default="wav", description="of the answer, with stream=false")
    response: ResponseOptions | None = Field(default=None, description="as in `response.create` of the socket")

    @model_validator(mode="after")
    def _says_something(self) -> "TurnCreate":
        if self.text is not None and self.audio is not None:
            raise PydanticCustomError("conflicting_values", "a turn has text or audio, not both")
        if self.text is None and self.audio is None and not self.tool_outputs:
            raise PydanticCustomError("conflicting_values", "a turn needs text, audio or tool_outputs")
        return self


class AffectOut(BaseModel):
    """Affect of a turn, the user's or the avatar's."""

    category: str
    intensity: float


class UserOut(BaseModel):
    """Transcript and affect of the user's audio."""

    item_id: str
    transcript: str
    affect: AffectOut | None


class AudioOut(BaseModel):
    """The answer as sound, 24 kHz mono."""

    format: Literal["wav", "pcm16"]
    sample_rate_hz: int
    duration_ms: int
    data: str = Field(description="base64")


class MotionOut(BaseModel):
    """The answer as motion, on the clock of its sound: frame k is at `start_ms` + k * 1000 / `fps`."""

    rig: str
    fps: int
    encoding: Literal["f16_base64", "json"]
    coefficient_names: list[str]
    start_ms: float
    frames: int
    values: str | list[list[float]] = Field(description="base64 of little-endian float16 [frames, coefficients], or nested lists")


class FunctionCallOut(BaseModel):
    """A function the avatar calls; answer with `tool_outputs` in the next turn."""

    call_id: str
    name: str
    arguments: str = Field(description="JSON")


class TurnBody(BaseModel):
    """A whole turn. `status` and `usage` as in `response.done` of the socket."""

    id: str = Field(description="id of the response")
    object: str = "a2.turn"
    session_id: str
    status: Literal["completed", "cancelled", "incomplete"]
    status_details: dict[str, Any] | None
    text: str = Field(description="what the avatar says")
    affect: AffectOut | None = Field(description="how the avatar says it")
    user: UserOut | None = Field(description="with audio in")
    audio: AudioOut | None
    motion: MotionOut | None
    function_calls: list[FunctionCallOut]
    usage: dict[str, Any] | None
