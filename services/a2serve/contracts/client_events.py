"""Events a client may send. Reading them is `events.parse_client_event`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from a2serve.contracts.base64_bytes import Base64Bytes
from a2serve.contracts.items import ConversationItem, InputItem, ItemId
from a2serve.contracts.session_config import AudioFormat, EngineOptions, FunctionTool, MaxTokens, Modality, SessionConfig, ToolChoice, Voice
from a2serve.contracts.wire import Strict, Wire


class ClientEventBase(Strict):
    """The id comes back in `error.event_id`."""

    event_id: Annotated[str, Field(max_length=512)] | None = None


class SessionUpdate(ClientEventBase):
    type: Literal["session.update"] = "session.update"
    session: SessionConfig


class InputAudioAppend(ClientEventBase):
    type: Literal["input_audio_buffer.append"] = "input_audio_buffer.append"
    audio: Base64Bytes


class InputAudioCommit(ClientEventBase):
    type: Literal["input_audio_buffer.commit"] = "input_audio_buffer.commit"


class InputAudioClear(ClientEventBase):
    type: Literal["input_audio_buffer.clear"] = "input_audio_buffer.clear"


class ItemCreate(ClientEventBase):
    type: Literal["conversation.item.create"] = "conversation.item.create"
    previous_item_id: str | None = None
    item: ConversationItem


class ItemRetrieve(ClientEventBase):
    type: Literal["conversation.item.retrieve"] = "conversation.item.retrieve"
    item_id: ItemId


class ItemDelete(ClientEventBase):
    type: Literal["conversation.item.delete"] = "conversation.item.delete"
    item_id: ItemId


class ItemTruncate(ClientEventBase):
    """Truncates an item. Any `audio_end_ms` is accepted: it is clamped to the item's length."""

    type: Literal["conversation.item.truncate"] = "conversation.item.truncate"
    item_id: ItemId
    content_index: int = 0
    audio_end_ms: int


class ResponseOutput(Wire):
    format: AudioFormat | None = None
    voice: Voice | None = None


class ResponseAudio(Wire):
    output: ResponseOutput | None = None


class ResponseOptions(EngineOptions):
    """Options of one response that differ from the session's. `conversation: none` leaves the conversation untouched."""

    audio: ResponseAudio | None = None
    conversation: Literal["auto", "none"] | None = None
    input: Annotated[list[InputItem], Field(max_length=256)] | None = None
    instructions: str | None = None
    max_output_tokens: MaxTokens | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    output_modalities: Annotated[list[Modality], Field(min_length=1, max_length=1)] | None = None
    parallel_tool_calls: bool | None = None
    prompt: object = None
    reasoning: object = None
    tool_choice: ToolChoice | None = None
    tools: Annotated[list[FunctionTool], Field(max_length=32)] | None = None


class ResponseCreate(ClientEventBase):
    type: Literal["response.create"] = "response.create"
    response: ResponseOptions | None = None


class ResponseCancel(ClientEventBase):
    type: Literal["response.cancel"] = "response.cancel"
    response_id: str | None = None


class Playback(ClientEventBase):
    """Playback position of the client's player: truer than our clock, so it decides what was heard."""

    type: Literal["a2.playback"] = "a2.playback"
    response_id: str
    state: Literal["started", "position", "finished"] = "position"
    played_ms: Annotated[int, Field(ge=0)]


class Append(ClientEventBase):
    """Words that the avatar says (`spoken`), or a fact that it knows from now on. Spoken words make a response; those that come with the
    same `append_id` go on with it, until `over`."""

    type: Literal["a2.append"] = "a2.append"
    text: Annotated[str, Field(max_length=16_000)]
    spoken: bool = False
    append_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    over: bool = True

    @model_validator(mode="after")
    def _can_be_continued(self) -> "Append":
        if self.spoken and not self.over and not self.append_id:
            raise PydanticCustomError("missing", "words that go on need an append_id")
        if not self.spoken and (not self.over or not self.text.strip()):
            raise PydanticCustomError("conflicting_values", "a fact is whole, and not empty")
        return self


ClientEvent = Annotated[
    SessionUpdate
    | InputAudioAppend
    | InputAudioCommit
    | InputAudioClear
    | ItemCreate
    | ItemRetrieve
    | ItemDelete
    | ItemTruncate
    | ResponseCreate
    | ResponseCancel
    | Playback
    | Append,
    Field(discriminator="type"),
]
