from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Rig(_message.Message):
    __slots__ = ("name", "coefficient_names")
    NAME_FIELD_NUMBER: _ClassVar[int]
    COEFFICIENT_NAMES_FIELD_NUMBER: _ClassVar[int]
    name: str
    coefficient_names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., coefficient_names: _Optional[_Iterable[str]] = ...) -> None: ...

class Persona(_message.Message):
    __slots__ = ("name", "instructions", "affect_baseline", "avatar", "voice", "expressiveness")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    AFFECT_BASELINE_FIELD_NUMBER: _ClassVar[int]
    AVATAR_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    EXPRESSIVENESS_FIELD_NUMBER: _ClassVar[int]
    name: str
    instructions: str
    affect_baseline: Affect
    avatar: str
    voice: str
    expressiveness: float
    def __init__(self, name: _Optional[str] = ..., instructions: _Optional[str] = ..., affect_baseline: _Optional[_Union[Affect, _Mapping]] = ..., avatar: _Optional[str] = ..., voice: _Optional[str] = ..., expressiveness: _Optional[float] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("revision", "sample_rate_hz", "audio_frame_hz", "motion_hz", "rigs", "personas", "slots", "slots_free", "affects", "context_tokens", "motion_per_audio", "voices")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FRAME_HZ_FIELD_NUMBER: _ClassVar[int]
    MOTION_HZ_FIELD_NUMBER: _ClassVar[int]
    RIGS_FIELD_NUMBER: _ClassVar[int]
    PERSONAS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FREE_FIELD_NUMBER: _ClassVar[int]
    AFFECTS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    MOTION_PER_AUDIO_FIELD_NUMBER: _ClassVar[int]
    VOICES_FIELD_NUMBER: _ClassVar[int]
    revision: str
    sample_rate_hz: int
    audio_frame_hz: int
    motion_hz: int
    rigs: _containers.RepeatedCompositeFieldContainer[Rig]
    personas: _containers.RepeatedCompositeFieldContainer[Persona]
    slots: int
    slots_free: int
    affects: _containers.RepeatedScalarFieldContainer[str]
    context_tokens: int
    motion_per_audio: int
    voices: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, revision: _Optional[str] = ..., sample_rate_hz: _Optional[int] = ..., audio_frame_hz: _Optional[int] = ..., motion_hz: _Optional[int] = ..., rigs: _Optional[_Iterable[_Union[Rig, _Mapping]]] = ..., personas: _Optional[_Iterable[_Union[Persona, _Mapping]]] = ..., slots: _Optional[int] = ..., slots_free: _Optional[int] = ..., affects: _Optional[_Iterable[str]] = ..., context_tokens: _Optional[int] = ..., motion_per_audio: _Optional[int] = ..., voices: _Optional[_Iterable[str]] = ...) -> None: ...

class Affect(_message.Message):
    __slots__ = ("category", "intensity")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    INTENSITY_FIELD_NUMBER: _ClassVar[int]
    category: str
    intensity: float
    def __init__(self, category: _Optional[str] = ..., intensity: _Optional[float] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("role", "text", "voice_affect", "call_id", "name", "tokens")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[Item.Role]
        SYSTEM: _ClassVar[Item.Role]
        USER: _ClassVar[Item.Role]
        ASSISTANT: _ClassVar[Item.Role]
        CALL: _ClassVar[Item.Role]
        TOOL: _ClassVar[Item.Role]
    ROLE_UNSPECIFIED: Item.Role
    SYSTEM: Item.Role
    USER: Item.Role
    ASSISTANT: Item.Role
    CALL: Item.Role
    TOOL: Item.Role
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VOICE_AFFECT_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    role: Item.Role
    text: str
    voice_affect: Affect
    call_id: str
    name: str
    tokens: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, role: _Optional[_Union[Item.Role, str]] = ..., text: _Optional[str] = ..., voice_affect: _Optional[_Union[Affect, _Mapping]] = ..., call_id: _Optional[str] = ..., name: _Optional[str] = ..., tokens: _Optional[_Iterable[int]] = ...) -> None: ...

class Resume(_message.Message):
    __slots__ = ("tokens", "words", "samples", "affect")
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    WORDS_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    AFFECT_FIELD_NUMBER: _ClassVar[int]
    tokens: _containers.RepeatedScalarFieldContainer[int]
    words: int
    samples: int
    affect: Affect
    def __init__(self, tokens: _Optional[_Iterable[int]] = ..., words: _Optional[int] = ..., samples: _Optional[int] = ..., affect: _Optional[_Union[Affect, _Mapping]] = ...) -> None: ...

class GivenWords(_message.Message):
    __slots__ = ("text", "over")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    text: str
    over: bool
    def __init__(self, text: _Optional[str] = ..., over: _Optional[bool] = ...) -> None: ...

class RespondRequest(_message.Message):
    __slots__ = ("session_id", "response_id", "tenant", "persona", "instructions", "items", "audio", "rig", "motion_hz", "tools_json", "tool_choice", "max_output_tokens", "seed", "affect", "temperature", "burst", "affect_baseline", "resume", "tenant_weight", "comes_back", "top_p", "expressiveness", "voice", "usual_voice", "given")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    TENANT_FIELD_NUMBER: _ClassVar[int]
    PERSONA_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    AUDIO_FIELD_NUMBER: _ClassVar[int]
    RIG_FIELD_NUMBER: _ClassVar[int]
    MOTION_HZ_FIELD_NUMBER: _ClassVar[int]
    TOOLS_JSON_FIELD_NUMBER: _ClassVar[int]
    TOOL_CHOICE_FIELD_NUMBER: _ClassVar[int]
    MAX_OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    AFFECT_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    AFFECT_BASELINE_FIELD_NUMBER: _ClassVar[int]
    RESUME_FIELD_NUMBER: _ClassVar[int]
    TENANT_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    COMES_BACK_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    EXPRESSIVENESS_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    USUAL_VOICE_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    response_id: str
    tenant: str
    persona: str
    instructions: str
    items: _containers.RepeatedCompositeFieldContainer[Item]
    audio: bool
    rig: str
    motion_hz: int
    tools_json: str
    tool_choice: str
    max_output_tokens: int
    seed: int
    affect: Affect
    temperature: float
    burst: bool
    affect_baseline: Affect
    resume: Resume
    tenant_weight: float
    comes_back: bool
    top_p: float
    expressiveness: float
    voice: str
    usual_voice: str
    given: GivenWords
    def __init__(self, session_id: _Optional[str] = ..., response_id: _Optional[str] = ..., tenant: _Optional[str] = ..., persona: _Optional[str] = ..., instructions: _Optional[str] = ..., items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., audio: _Optional[bool] = ..., rig: _Optional[str] = ..., motion_hz: _Optional[int] = ..., tools_json: _Optional[str] = ..., tool_choice: _Optional[str] = ..., max_output_tokens: _Optional[int] = ..., seed: _Optional[int] = ..., affect: _Optional[_Union[Affect, _Mapping]] = ..., temperature: _Optional[float] = ..., burst: _Optional[bool] = ..., affect_baseline: _Optional[_Union[Affect, _Mapping]] = ..., resume: _Optional[_Union[Resume, _Mapping]] = ..., tenant_weight: _Optional[float] = ..., comes_back: _Optional[bool] = ..., top_p: _Optional[float] = ..., expressiveness: _Optional[float] = ..., voice: _Optional[str] = ..., usual_voice: _Optional[str] = ..., given: _Optional[_Union[GivenWords, _Mapping]] = ...) -> None: ...

class AppendRequest(_message.Message):
    __slots__ = ("session_id", "response_id", "offset", "text", "over")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    OVER_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    response_id: str
    offset: int
    text: str
    over: bool
    def __init__(self, session_id: _Optional[str] = ..., response_id: _Optional[str] = ..., offset: _Optional[int] = ..., text: _Optional[str] = ..., over: _Optional[bool] = ...) -> None: ...

class AppendResponse(_message.Message):
    __slots__ = ("received",)
    RECEIVED_FIELD_NUMBER: _ClassVar[int]
    received: int
    def __init__(self, received: _Optional[int] = ...) -> None: ...

class Motion(_message.Message):
    __slots__ = ("rig", "hz", "first_frame", "frames", "values_f16")
    RIG_FIELD_NUMBER: _ClassVar[int]
    HZ_FIELD_NUMBER: _ClassVar[int]
    FIRST_FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    VALUES_F16_FIELD_NUMBER: _ClassVar[int]
    rig: str
    hz: int
    first_frame: int
    frames: int
    values_f16: bytes
    def __init__(self, rig: _Optional[str] = ..., hz: _Optional[int] = ..., first_frame: _Optional[int] = ..., frames: _Optional[int] = ..., values_f16: _Optional[bytes] = ...) -> None: ...

class FunctionCall(_message.Message):
    __slots__ = ("call_id", "name", "arguments")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARGUMENTS_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    name: str
    arguments: str
    def __init__(self, call_id: _Optional[str] = ..., name: _Optional[str] = ..., arguments: _Optional[str] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("input_tokens", "cached_tokens", "output_text_tokens", "output_audio_ms")
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    CACHED_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TEXT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_AUDIO_MS_FIELD_NUMBER: _ClassVar[int]
    input_tokens: int
    cached_tokens: int
    output_text_tokens: int
    output_audio_ms: int
    def __init__(self, input_tokens: _Optional[int] = ..., cached_tokens: _Optional[int] = ..., output_text_tokens: _Optional[int] = ..., output_audio_ms: _Optional[int] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("queue_ms", "prefill_ms", "first_token_ms", "first_audio_ms", "compute_ms")
    QUEUE_MS_FIELD_NUMBER: _ClassVar[int]
    PREFILL_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    FIRST_AUDIO_MS_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    queue_ms: float
    prefill_ms: float
    first_token_ms: float
    first_audio_ms: float
    compute_ms: float
    def __init__(self, queue_ms: _Optional[float] = ..., prefill_ms: _Optional[float] = ..., first_token_ms: _Optional[float] = ..., first_audio_ms: _Optional[float] = ..., compute_ms: _Optional[float] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ("reason", "text", "usage", "timings")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Done.Reason]
        COMPLETED: _ClassVar[Done.Reason]
        MAX_OUTPUT_TOKENS: _ClassVar[Done.Reason]
        CANCELLED: _ClassVar[Done.Reason]
        CONTENT: _ClassVar[Done.Reason]
    REASON_UNSPECIFIED: Done.Reason
    COMPLETED: Done.Reason
    MAX_OUTPUT_TOKENS: Done.Reason
    CANCELLED: Done.Reason
    CONTENT: Done.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    reason: Done.Reason
    text: str
    usage: Usage
    timings: Timings
    def __init__(self, reason: _Optional[_Union[Done.Reason, str]] = ..., text: _Optional[str] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class Packet(_message.Message):
    __slots__ = ("response_id", "pts_samples", "text", "pcm16", "motion", "affect", "function_call", "done", "tokens", "usage", "revision", "sample_rate_hz")
    RESPONSE_ID_FIELD_NUMBER: _ClassVar[int]
    PTS_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    PCM16_FIELD_NUMBER: _ClassVar[int]
    MOTION_FIELD_NUMBER: _ClassVar[int]
    AFFECT_FIELD_NUMBER: _ClassVar[int]
    FUNCTION_CALL_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOKENS_FIELD_NUMBER: _ClassVar[int]
    USAGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    response_id: str
    pts_samples: int
    text: str
    pcm16: bytes
    motion: Motion
    affect: Affect
    function_call: FunctionCall
    done: Done
    tokens: _containers.RepeatedScalarFieldContainer[int]
    usage: Usage
    revision: str
    sample_rate_hz: int
    def __init__(self, response_id: _Optional[str] = ..., pts_samples: _Optional[int] = ..., text: _Optional[str] = ..., pcm16: _Optional[bytes] = ..., motion: _Optional[_Union[Motion, _Mapping]] = ..., affect: _Optional[_Union[Affect, _Mapping]] = ..., function_call: _Optional[_Union[FunctionCall, _Mapping]] = ..., done: _Optional[_Union[Done, _Mapping]] = ..., tokens: _Optional[_Iterable[int]] = ..., usage: _Optional[_Union[Usage, _Mapping]] = ..., revision: _Optional[str] = ..., sample_rate_hz: _Optional[int] = ...) -> None: ...

class ListenRequest(_message.Message):
    __slots__ = ("session_id", "utterance_id", "offset_samples", "pcm16", "rate_hz", "final", "last_assistant_text", "words_now")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    PCM16_FIELD_NUMBER: _ClassVar[int]
    RATE_HZ_FIELD_NUMBER: _ClassVar[int]
    FINAL_FIELD_NUMBER: _ClassVar[int]
    LAST_ASSISTANT_TEXT_FIELD_NUMBER: _ClassVar[int]
    WORDS_NOW_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    utterance_id: str
    offset_samples: int
    pcm16: bytes
    rate_hz: int
    final: bool
    last_assistant_text: str
    words_now: bool
    def __init__(self, session_id: _Optional[str] = ..., utterance_id: _Optional[str] = ..., offset_samples: _Optional[int] = ..., pcm16: _Optional[bytes] = ..., rate_hz: _Optional[int] = ..., final: _Optional[bool] = ..., last_assistant_text: _Optional[str] = ..., words_now: _Optional[bool] = ...) -> None: ...

class ListenResponse(_message.Message):
    __slots__ = ("utterance_id", "received_samples", "transcript", "stable_chars", "turn_end_probability", "affect", "valence", "arousal", "affect_confidence", "speech_confidence", "compute_ms")
    UTTERANCE_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TRANSCRIPT_FIELD_NUMBER: _ClassVar[int]
    STABLE_CHARS_FIELD_NUMBER: _ClassVar[int]
    TURN_END_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    AFFECT_FIELD_NUMBER: _ClassVar[int]
    VALENCE_FIELD_NUMBER: _ClassVar[int]
    AROUSAL_FIELD_NUMBER: _ClassVar[int]
    AFFECT_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    SPEECH_CONFIDENCE_FIELD_NUMBER: _ClassVar[int]
    COMPUTE_MS_FIELD_NUMBER: _ClassVar[int]
    utterance_id: str
    received_samples: int
    transcript: str
    stable_chars: int
    turn_end_probability: float
    affect: Affect
    valence: float
    arousal: float
    affect_confidence: float
    speech_confidence: float
    compute_ms: float
    def __init__(self, utterance_id: _Optional[str] = ..., received_samples: _Optional[int] = ..., transcript: _Optional[str] = ..., stable_chars: _Optional[int] = ..., turn_end_probability: _Optional[float] = ..., affect: _Optional[_Union[Affect, _Mapping]] = ..., valence: _Optional[float] = ..., arousal: _Optional[float] = ..., affect_confidence: _Optional[float] = ..., speech_confidence: _Optional[float] = ..., compute_ms: _Optional[float] = ...) -> None: ...

class IdleRequest(_message.Message):
    __slots__ = ("session_id", "state", "from_frame", "frames", "rig", "motion_hz", "nod_frames", "seed", "start_f16", "affect")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        IDLE: _ClassVar[IdleRequest.State]
        LISTENING: _ClassVar[IdleRequest.State]
        THINKING: _ClassVar[IdleRequest.State]
        RETURN: _ClassVar[IdleRequest.State]
    IDLE: IdleRequest.State
    LISTENING: IdleRequest.State
    THINKING: IdleRequest.State
    RETURN: IdleRequest.State
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FROM_FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    RIG_FIELD_NUMBER: _ClassVar[int]
    MOTION_HZ_FIELD_NUMBER: _ClassVar[int]
    NOD_FRAMES_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    START_F16_FIELD_NUMBER: _ClassVar[int]
    AFFECT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    state: IdleRequest.State
    from_frame: int
    frames: int
    rig: str
    motion_hz: int
    nod_frames: _containers.RepeatedScalarFieldContainer[int]
    seed: int
    start_f16: bytes
    affect: Affect
    def __init__(self, session_id: _Optional[str] = ..., state: _Optional[_Union[IdleRequest.State, str]] = ..., from_frame: _Optional[int] = ..., frames: _Optional[int] = ..., rig: _Optional[str] = ..., motion_hz: _Optional[int] = ..., nod_frames: _Optional[_Iterable[int]] = ..., seed: _Optional[int] = ..., start_f16: _Optional[bytes] = ..., affect: _Optional[_Union[Affect, _Mapping]] = ...) -> None: ...

class ReleaseRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class ReleaseResponse(_message.Message):
    __slots__ = ("known",)
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    known: bool
    def __init__(self, known: _Optional[bool] = ...) -> None: ...
