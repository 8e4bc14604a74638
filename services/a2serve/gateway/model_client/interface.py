"""What the gateway asks of inference, and the words for it. The gRPC implementation is `grpc_inference`.

Errors of every call: `Problem` (no_capacity with retry_after_ms, inference_unavailable, invalid_value, rig_unavailable,
internal_error, timeout). Calls are bounded by the implementation's timeouts.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from a2serve.contracts.media_clock import BYTES_PER_MS, RATE_HZ

PromptRole: TypeAlias = Literal["system", "user", "assistant", "call", "tool"]
IdleState: TypeAlias = Literal["idle", "listening", "thinking", "return"]
FinishReason: TypeAlias = Literal["completed", "max_output_tokens", "cancelled", "content"]


@dataclass(frozen=True, slots=True)
class Affect:
    """Category (one of ModelInfo.affects) and intensity 0..1."""

    category: str
    intensity: float


@dataclass(frozen=True, slots=True)
class PromptItem:
    """One entry of the conversation as the model reads it. `call`: text = arguments; `tool`: text = output; `tokens`: as the model
    wrote it."""

    role: PromptRole
    text: str
    voice_affect: Affect | None = None
    call_id: str = ""
    name: str = ""
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Resume:
    """How far a response came before its replica was lost: its tokens, and how many words and samples."""

    tokens: tuple[int, ...]
    words: int
    samples: int


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """One response. `motion_hz` 0 = no motion; `max_output_tokens` 0 = the model's limit; empty strings = defaults."""

    session_id: str
    response_id: str
    tenant: str
    items: tuple[PromptItem, ...]
    persona: str = ""
    instructions: str = ""
    audio: bool = True
    rig: str = ""
    motion_hz: int = 0
    tools_json: str = ""
    tool_choice: str = ""
    max_output_tokens: int = 0
    seed: int = 0
    affect: Affect | None = None
    affect_baseline: Affect | None = None
    burst: bool = False
    resume: Resume | None = None


@dataclass(frozen=True, slots=True)
class Motion:
    """Frames of a rig; `values_f16` is little-endian float16 [frames, C]. Frame n is at n / hz seconds."""

    rig: str
    hz: int
    first_frame: int
    frames: int
    values_f16: bytes


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Arguments are JSON that validates against the function's schema."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What a response cost."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_ms: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Since the request arrived at inference; compute_ms is engine time."""

    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    first_token_ms: float = 0.0
    first_audio_ms: float = 0.0
    compute_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """The last packet's news."""

    reason: FinishReason
    text: str = ""
    usage: Usage = Usage()
    timings: Timings = Timings()


@dataclass(frozen=True, slots=True)
class Packet:
    """Text, audio and motion of one engine step. Words are joined with a blank; `tokens` run ahead of them.

    `pts_samples` and `pcm16` at `sample_rate_hz`: the model's own, until `WireRate` has changed it. `usage`: of the response up to
    here. `revision`: of the model that goes on from here; empty where that is the one before.
    """

    response_id: str
    pts_samples: int
    text: str = ""
    pcm16: bytes = b""
    motion: Motion | None = None
    affect: Affect | None = None
    function_call: FunctionCall | None = None
    done: Done | None = None
    tokens: tuple[int, ...] = ()
    usage: Usage | None = None
    revision: str = ""
    sample_rate_hz: int = RATE_HZ


@dataclass(frozen=True, slots=True)
class SpokenAudio:
    """New audio of an utterance, PCM16 on the media clock, at `offset_samples` of it."""

    session_id: str
    utterance_id: str
    offset_samples: int
    pcm16: bytes
    final: bool = False
    words_now: bool = False
    last_assistant_text: str = ""

    @property
    def seconds(self) -> float:
        """How long the sound is."""
        return len(self.pcm16) / BYTES_PER_MS / 1000


@dataclass(frozen=True, slots=True)
class Heard:
    """Inference's understanding of an utterance so far."""

    received_samples: int
    transcript: str
    stable_chars: int
    turn_end_probability: float | None
    affect: Affect | None = None
    valence: float = 0.0
    arousal: float = 0.0
    affect_confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class IdleRequest:
    """Face motion while the avatar does not speak; `start_f16` [C] only with `return`."""

    session_id: str
    state: IdleState
    from_frame: int
    frames: int
    rig: str
    motion_hz: int
    nod_frames: tuple[int, ...] = ()
    seed: int = 0
    start_f16: bytes = b""


@dataclass(frozen=True, slots=True)
class PersonaInfo:
    """A persona that inference has."""

    name: str
    instructions: str
    avatar: str
    voice: str
    affect_baseline: Affect | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Description of the replica's model. `rigs`: name -> ordered coefficient names."""

    revision: str
    sample_rate_hz: int
    audio_frame_hz: float
    motion_hz: int
    rigs: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    personas: tuple[PersonaInfo, ...] = ()
    slots: int = 0
    slots_free: int = 0
    affects: tuple[str, ...] = ()
    context_tokens: int = 0


class UtteranceUnknown(LookupError):
    """The replica does not know the utterance up to the offset: send it again from 0."""


class InferenceClient(Protocol):
    """The model as a service; one implementation per way to reach it."""

    async def describe(self) -> ModelInfo:
        """Describes what the replica runs and how full it is."""
        ...

    def respond(self, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
        """One response, packet by packet; closing the generator cancels it. A replica that is lost on the way is not noticed, but for
        the time that it takes until another one goes on."""
        ...

    async def listen(self, audio: SpokenAudio) -> Heard:
        """New audio in, what was heard out. Raises UtteranceUnknown."""
        ...

    async def idle(self, request: IdleRequest) -> Motion:
        """The face while it does not speak."""
        ...

    async def release(self, session_id: str) -> None:
        """Forget the session; unknown ids are no error."""
        ...
