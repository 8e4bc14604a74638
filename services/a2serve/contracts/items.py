"""Conversation items as the Realtime wire writes them. The conversation itself is `gateway.conversation`."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from a2serve.contracts.wire import Wire

ItemStatus: TypeAlias = Literal["in_progress", "completed", "incomplete"]
ItemId = Annotated[str, Field(min_length=1, max_length=64)]


class ContentPart(Wire):
    """One part of a message: text, or audio with its transcript."""

    type: Literal["input_text", "input_audio", "input_image", "output_text", "output_audio"]
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None


class MessageItem(Wire):
    """A message, said or written, of the user, the avatar or the system."""

    type: Literal["message"] = "message"
    id: ItemId | None = None
    object: Literal["realtime.item"] | None = None
    status: ItemStatus | None = None
    role: Literal["system", "user", "assistant"]
    content: Annotated[list[ContentPart], Field(max_length=64)]


class FunctionCallItem(Wire):
    """The avatar called a function; `arguments` is JSON."""

    type: Literal["function_call"] = "function_call"
    id: ItemId | None = None
    object: Literal["realtime.item"] | None = None
    status: ItemStatus | None = None
    call_id: str | None = None
    name: str
    arguments: str


class FunctionCallOutputItem(Wire):
    """Output that the client's function returned."""

    type: Literal["function_call_output"] = "function_call_output"
    id: ItemId | None = None
    object: Literal["realtime.item"] | None = None
    status: ItemStatus | None = None
    call_id: str
    output: str


ConversationItem = Annotated[MessageItem | FunctionCallItem | FunctionCallOutputItem, Field(discriminator="type")]


class ItemReference(Wire):
    """In `response.create`: an item that is already in the conversation."""

    type: Literal["item_reference"] = "item_reference"
    id: ItemId


InputItem = Annotated[MessageItem | FunctionCallItem | FunctionCallOutputItem | ItemReference, Field(discriminator="type")]
