"""The settings of a Realtime session, as `session.update` carries them, and our extension under `a2`.

The names are those of the GA Realtime API. A setting that has no meaning here (tracing, reasoning, ...) is taken and
given back, so that stock clients run unchanged.
"""

from typing import Annotated, Any, Literal, Self, TypeAlias, cast

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from a2serve.contracts.wire import Mergeable, Strict, Wire

MOST_EXPRESSIVE = 1.5

Modality: TypeAlias = Literal["audio", "text"]


class AudioPcm(Strict):
    """16-bit little-endian mono at 24 kHz."""

    type: Literal["audio/pcm"] = "audio/pcm"
    rate: Literal[24000] = 24000


class AudioPcmu(Strict):
    """G.711 mu-law at 8 kHz, one byte a sample."""

    type: Literal["audio/pcmu"] = "audio/pcmu"


class AudioPcma(Strict):
    """G.711 A-law at 8 kHz, one byte a sample."""

    type: Literal["audio/pcma"] = "audio/pcma"


AudioFormat = Annotated[AudioPcm | AudioPcmu | AudioPcma, Field(discriminator="type")]


class ServerVad(Wire):
    """The turn ends after a silence."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float = Field(default=0.5, ge=0, le=1)
    prefix_padding_ms: int = Field(default=300, ge=0, le=5000)
    silence_duration_ms: int = Field(default=500, ge=64, le=10_000)
    idle_timeout_ms: int | None = Field(default=None, ge=1000, le=120_000)
    create_response: bool = True
    interrupt_response: bool = True


class SemanticVad(Wire):
    """The turn ends when what was said sounds finished; eagerness bounds the wait (low 8 s, medium 4 s, high 2 s)."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(Wire):
    """Turns the user's captions on; the model is always our own."""

    model: str | None = None
    language: str | None = None
    prompt: str | None = None


class NoiseReduction(Wire):
    """Accepted and returned, without effect."""

    type: Literal["near_field", "far_field"] | None = None
    strength: float | None = None


class InputAudio(Mergeable):
    """Format of the client's audio, and how its turns are found."""

    format: AudioFormat = AudioPcm()
    noise_reduction: NoiseReduction | None = None
    transcription: Transcription | None = None
    turn_detection: TurnDetection | None = ServerVad()


PERSONA_VOICE = "default"  # the voice of the session's persona
# Names that stock clients send and that no model here has: they stand for the persona's voice.
_OPENAI_VOICES = frozenset("alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse".split())


def _voice_name(voice: Any) -> Any:
    """`{"id": name}` is the name; a voice of OpenAI's is the persona's."""
    name = cast("dict[str, Any]", voice).get("id", voice) if isinstance(voice, dict) else voice
    return PERSONA_VOICE if isinstance(name, str) and name in _OPENAI_VOICES else name


Voice: TypeAlias = Annotated[str | dict[str, str], BeforeValidator(_voice_name)]


class OutputAudio(Mergeable):
    """Format of the avatar's audio. `default` is the persona's voice, and so is each of OpenAI's names; `speed` is accepted and returned,
    without effect."""

    format: AudioFormat = AudioPcm()
    voice: Voice = PERSONA_VOICE
    speed: float = Field(default=1.0, ge=0.25, le=1.5)


class AudioConfig(Mergeable):
    """Audio settings of both directions."""

    input: InputAudio = InputAudio()
    output: OutputAudio = OutputAudio()


class MotionConfig(Strict):
    """The third output: which face, how fast, and how it is written."""

    rig: Literal["arkit61", "flame58", "oculus15"] = "arkit61"
    fps: Literal[25, 30, 60] = 30
    encoding: Literal["f16_base64", "json"] = "f16_base64"


class A2Config(Mergeable):
    """Our extension. Its presence opts in to `a2.*` events (`events: false`: only the settings count)."""

    events: bool = True
    persona: str = ""
    motion: MotionConfig | None = None
    listening: bool = True
    binary: bool = False
    burst: bool = False


class FunctionTool(Wire):
    """A function the avatar may call; `parameters` is a JSON schema."""

    type: Literal["function"] = "function"
    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    description: str | None = None
    parameters: dict[str, Any] | None = None


class NamedFunction(Wire):
    """`tool_choice` that forces one function."""

    type: Literal["function"] = "function"
    name: str


ToolChoice: TypeAlias = Literal["none", "auto", "required"] | NamedFunction
MaxTokens = Annotated[int, Field(ge=1, le=4096)] | Literal["inf"]


class AffectConfig(Strict):
    """An affect that the avatar expresses instead of its own choice; `category` is one of `affects` in `a2.session.ready`."""

    category: str = Field(min_length=1, max_length=32)
    intensity: float = Field(default=0.7, ge=0, le=1)


class EngineOptions(Strict):
    """Options that the model takes as they are, of a session and of one response; null leaves the choice to the model.

    `temperature` divides the logits of the words: 0 takes the likeliest. `top_p` keeps the likeliest words that together have this
    probability. Equal `seed`, conversation and settings give an equal response; without it every response has its own. `expressiveness`
    says how strongly voice and face express: 1 is usual, 0 calm, null the persona's own.
    """

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**53)
    affect: AffectConfig | None = None
    expressiveness: float | None = Field(default=None, ge=0, le=MOST_EXPRESSIVE)


class SessionConfig(Mergeable, EngineOptions):
    """All settings of a session. As a patch, only the fields that were given count (`merged_with`).

    Errors: pydantic.ValidationError for an unknown field, a wrong value, both modalities at once, or a `tool_choice`
    without its tool (checked after merging, by `check_tools`).
    """

    type: Literal["realtime"] = "realtime"
    model: str = "a2-llm"
    instructions: str = ""
    output_modalities: list[Modality] = Field(default=["audio"], min_length=1, max_length=1)
    audio: AudioConfig = AudioConfig()
    tools: list[FunctionTool] = Field(default=[], max_length=32)
    tool_choice: ToolChoice = "auto"
    max_output_tokens: MaxTokens = "inf"
    parallel_tool_calls: bool | None = None
    include: list[str] | None = None
    tracing: Any = None
    truncation: Any = None
    prompt: Any = None
    reasoning: Any = None
    a2: A2Config | None = None

    @model_validator(mode="after")
    def _tool_names_differ(self) -> "SessionConfig":
        names = [tool.name for tool in self.tools]
        if len(names) != len(set(names)):
            raise PydanticCustomError("conflicting_values", "two tools have the same name")
        return self

    @classmethod
    def from_store(cls, body: dict[str, Any]) -> Self:
        """Reads a configuration that a gateway of any version wrote: fields that only a newer one knows are left out."""
        return cls.model_validate(body, extra="ignore")

    def merged_with(self, patch: Any) -> Self:
        """Merges as Mergeable does, but keeps the model, which the client cannot choose."""
        return super().merged_with(patch).model_copy(update={"model": self.model})
