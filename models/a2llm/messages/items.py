"""The conversation's items in the order in which they were said: a response is asked for with all of them."""

from dataclasses import dataclass

from a2llm.messages.affect import Affect


@dataclass(frozen=True, slots=True)
class SystemText:
    """A remark to the model in the middle of a conversation."""

    text: str


@dataclass(frozen=True, slots=True)
class UserTurn:
    """The user's words and their sound; typed words have no `voice_affect`."""

    text: str
    voice_affect: Affect | None = None


@dataclass(frozen=True, slots=True)
class AssistantTurn:
    """The avatar's words. `tokens`, where known, are the very tokens that the model wrote: the KV cache then holds on to them."""

    text: str = ""
    tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call that the model made; `arguments` is JSON text that validates against the function's schema."""

    name: str
    arguments: str
    call_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The output of a call, as text."""

    text: str
    call_id: str = ""


Item = SystemText | UserTurn | AssistantTurn | FunctionCall | ToolResult
