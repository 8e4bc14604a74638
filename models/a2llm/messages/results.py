"""Results of a model: a response step by step, the words of an utterance, the idle face, and the description of the model."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from a2llm.messages.affect import Affect
from a2llm.messages.items import FunctionCall

FinishReason: TypeAlias = Literal["completed", "max_output_tokens", "cancelled", "content"]
Floats: TypeAlias = NDArray[np.float32]
USUAL_RATE_HZ = 24_000  # of a peer that does not say its own


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and sound of one response. cached_tokens: the part of input_tokens that was not computed again."""

    input_tokens: int = 0
    cached_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_ms: int = 0


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds since the request arrived; compute_ms is the time of the engine's steps in which the response took part."""

    queue_ms: float = 0.0
    prefill_ms: float = 0.0
    first_token_ms: float = 0.0
    first_audio_ms: float = 0.0
    compute_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Done:
    """How a response ended, and all that it said."""

    reason: FinishReason = "completed"
    text: str = ""
    usage: Usage = Usage()
    timings: Timings = Timings()


@dataclass(frozen=True, slots=True)
class StepOutput:
    """The output of one engine step for one response, on one clock.

    text: words whose speech begins here, to be joined with spaces. pcm: [S] at the clock's rate; motion: [F, 61]; S = F = 0 where the
    response does not speak. pts_samples: samples since the response began. function_call: on the last output of a response that
    calls a tool. tokens: what was drawn since the last output, without the end of the turn or the one at which the limit cut it.
    affect: of the avatar, in the first output, and again where it has moved. done: in the last one. usage: of the response up to here.
    """

    text: str = ""
    pcm: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    motion: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    pts_samples: int = 0
    last: bool = False
    function_call: FunctionCall | None = None
    tokens: tuple[int, ...] = ()
    affect: Affect | None = None
    done: Done | None = None
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Motion:
    """Frames of a rig; `values_f16` is little-endian float16 [frames, C]. Frame n is at n / hz seconds."""

    rig: str
    hz: int
    first_frame: int
    frames: int
    values_f16: bytes


@dataclass(frozen=True, slots=True)
class Packet:
    """A StepOutput as a client gets it: PCM16, and motion of its own rig and rate. `pts_samples` are of `sample_rate_hz`, without a gap.

    usage: None of a replica that does not count on the way. revision: of the model that goes on from here; "" is the one before.
    """

    response_id: str
    pts_samples: int = 0
    text: str = ""
    pcm16: bytes = b""
    motion: Motion | None = None
    affect: Affect | None = None
    function_call: FunctionCall | None = None
    done: Done | None = None
    tokens: tuple[int, ...] = ()
    usage: Usage | None = None
    revision: str = ""
    sample_rate_hz: int = USUAL_RATE_HZ


@dataclass(frozen=True, slots=True)
class ListenResult:
    """The words of an utterance so far, and how they sounded. turn_end_probability is None while there are no words."""

    utterance_id: str = ""
    received_samples: int = 0
    transcript: str = ""
    stable_chars: int = 0
    turn_end_probability: float | None = None
    affect: Affect | None = None
    valence: float = 0.0
    arousal: float = 0.0
    affect_confidence: float = 0.0
    speech_confidence: float = 0.0
    compute_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Persona:
    """A character: instructions for the backbone, the affect it rests in, the head it wears, its voice, and how strongly it expresses
    (0 to 1.5, None is 1)."""

    name: str
    instructions: str
    affect_baseline: Affect | None = None
    avatar: str = "woman"
    voice: str = "heart"
    expressiveness: float | None = None


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model of a replica, and how full the replica is. `rigs`: name -> ordered coefficient names."""

    revision: str
    sample_rate_hz: int
    audio_frame_hz: int
    motion_hz: int
    rigs: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    personas: tuple[Persona, ...] = ()
    slots: int = 0
    slots_free: int = 0
    affects: tuple[str, ...] = ()
    context_tokens: int = 0
    motion_per_audio: int = 2
    voices: tuple[str, ...] = ()

    @property
    def audio_frames_per_s(self) -> float:
        """Frames of sound in a second; `audio_frame_hz` is the same in whole numbers."""
        return self.motion_hz / self.motion_per_audio
