"""Events of the GA Realtime API that we send. Ours are in `a2_events`."""

from typing import Any, Literal

from a2serve.contracts.base64_bytes import Base64Bytes
from a2serve.contracts.items import ConversationItem
from a2serve.contracts.session_config import AudioFormat, MaxTokens, Modality
from a2serve.contracts.wire import Wire


class ServerEventBase(Wire):
    """`event_id` ends in the event's number within the session; the sender sets it."""

    event_id: str = ""


class ErrorBody(Wire):
    type: Literal["invalid_request_error", "server_error", "rate_limit_error"]
    code: str
    message: str
    param: str | None = None
    event_id: str | None = None


class ErrorEvent(ServerEventBase):
    type: Literal["error"] = "error"
    error: ErrorBody


class SessionCreated(ServerEventBase):
    type: Literal["session.created"] = "session.created"
    session: dict[str, Any]


class SessionUpdated(ServerEventBase):
    type: Literal["session.updated"] = "session.updated"
    session: dict[str, Any]


class ItemAdded(ServerEventBase):
    type: Literal["conversation.item.added"] = "conversation.item.added"
    previous_item_id: str | None
    item: ConversationItem


class ItemDone(ServerEventBase):
    type: Literal["conversation.item.done"] = "conversation.item.done"
    previous_item_id: str | None
    item: ConversationItem


class ItemRetrieved(ServerEventBase):
    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: ConversationItem


class ItemDeleted(ServerEventBase):
    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class ItemTruncated(ServerEventBase):
    type: Literal["conversation.item.truncated"] = "conversation.item.truncated"
    item_id: str
    content_index: int = 0
    audio_end_ms: int


class TranscriptionDelta(ServerEventBase):
    type: Literal["conversation.item.input_audio_transcription.delta"] = "conversation.item.input_audio_transcription.delta"
    item_id: str
    content_index: int = 0
    delta: str


class TranscriptionUsage(Wire):
    type: Literal["duration"] = "duration"
    seconds: float


class TranscriptionCompleted(ServerEventBase):
    type: Literal["conversation.item.input_audio_transcription.completed"] = "conversation.item.input_audio_transcription.completed"
    item_id: str
    content_index: int = 0
    transcript: str
    usage: TranscriptionUsage


class TranscriptionError(Wire):
    type: str
    code: str
    message: str


class TranscriptionFailed(ServerEventBase):
    type: Literal["conversation.item.input_audio_transcription.failed"] = "conversation.item.input_audio_transcription.failed"
    item_id: str
    content_index: int = 0
    error: TranscriptionError


class SpeechStarted(ServerEventBase):
    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    audio_start_ms: int
    item_id: str


class SpeechStopped(ServerEventBase):
    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    audio_end_ms: int
    item_id: str


class Committed(ServerEventBase):
    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    previous_item_id: str | None
    item_id: str


class Cleared(ServerEventBase):
    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class TimeoutTriggered(ServerEventBase):
    type: Literal["input_audio_buffer.timeout_triggered"] = "input_audio_buffer.timeout_triggered"
    audio_start_ms: int
    audio_end_ms: int
    item_id: str


class StatusError(Wire):
    type: str
    code: str
    message: str | None = None


class StatusDetails(Wire):
    type: Literal["completed", "cancelled", "incomplete", "failed"]
    reason: Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"] | None = None
    error: StatusError | None = None


class CachedTokens(Wire):
    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0


class InputTokenDetails(Wire):
    text_tokens: int = 0
    audio_tokens: int = 0
    image_tokens: int = 0
    cached_tokens: int = 0
    cached_tokens_details: CachedTokens = CachedTokens()


class OutputTokenDetails(Wire):
    text_tokens: int = 0
    audio_tokens: int = 0


class ResponseUsage(Wire):
    total_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    input_token_details: InputTokenDetails = InputTokenDetails()
    output_token_details: OutputTokenDetails = OutputTokenDetails()


class OutputAudioInfo(Wire):
    format: AudioFormat
    voice: str | dict[str, str]


class ResponseAudioInfo(Wire):
    output: OutputAudioInfo


class ResponseBody(Wire):
    object: Literal["realtime.response"] = "realtime.response"
    id: str
    status: Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
    status_details: StatusDetails | None
    output: list[ConversationItem]
    conversation_id: str | None
    output_modalities: list[Modality]
    max_output_tokens: MaxTokens
    audio: ResponseAudioInfo
    usage: ResponseUsage | None
    metadata: dict[str, str] | None


class ResponseCreated(ServerEventBase):
    type: Literal["response.created"] = "response.created"
    response: ResponseBody


class ResponseDone(ServerEventBase):
    type: Literal["response.done"] = "response.done"
    response: ResponseBody


class OutputEventBase(ServerEventBase):
    response_id: str
    output_index: int


class OutputItemAdded(OutputEventBase):
    type: Literal["response.output_item.added"] = "response.output_item.added"
    item: ConversationItem


class OutputItemDone(OutputEventBase):
    type: Literal["response.output_item.done"] = "response.output_item.done"
    item: ConversationItem


class ContentEventBase(OutputEventBase):
    item_id: str
    content_index: int = 0


class ResponsePart(Wire):
    type: Literal["audio", "text"]
    text: str | None = None
    transcript: str | None = None


class ContentPartAdded(ContentEventBase):
    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: ResponsePart


class ContentPartDone(ContentEventBase):
    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: ResponsePart


class AudioDelta(ContentEventBase):
    type: Literal["response.output_audio.delta"] = "response.output_audio.delta"
    delta: Base64Bytes


class AudioDone(ContentEventBase):
    type: Literal["response.output_audio.done"] = "response.output_audio.done"


class TranscriptDelta(ContentEventBase):
    type: Literal["response.output_audio_transcript.delta"] = "response.output_audio_transcript.delta"
    delta: str


class TranscriptDone(ContentEventBase):
    type: Literal["response.output_audio_transcript.done"] = "response.output_audio_transcript.done"
    transcript: str


class TextDelta(ContentEventBase):
    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    delta: str


class TextDone(ContentEventBase):
    type: Literal["response.output_text.done"] = "response.output_text.done"
    text: str


class ArgumentsDelta(OutputEventBase):
    type: Literal["response.function_call_arguments.delta"] = "response.function_call_arguments.delta"
    item_id: str
    call_id: str
    delta: str


class ArgumentsDone(OutputEventBase):
    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    item_id: str
    call_id: str
    name: str
    arguments: str


class RateLimit(Wire):
    name: Literal["requests", "tokens"]
    limit: int
    remaining: int
    reset_seconds: float


class RateLimitsUpdated(ServerEventBase):
    type: Literal["rate_limits.updated"] = "rate_limits.updated"
    rate_limits: list[RateLimit]
