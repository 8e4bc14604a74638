"""The items of a conversation, in the order in which they were said: a response is asked for with them.

Plain data. How an item stands in the prompt is `chat`'s business, how tools are described is `tools`'.
"""

from dataclasses import dataclass, field

from a2llm.affect import Affect


@dataclass(frozen=True)
class SystemText:
    """A remark to the model in the middle of a conversation."""

    text: str


@dataclass(frozen=True)
class UserTurn:
    """A user's words, and how they sounded."""

    text: str
    voice: Affect = field(default_factory=Affect)


@dataclass(frozen=True)
class AssistantTurn:
    """The avatar's words. `ids`, where known, are the very tokens it wrote: the KV cache then holds on to them."""

    text: str = ""
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class ToolCall:
    """A call the model made; `arguments` is JSON text."""

    name: str
    arguments: str
    call_id: str = ""


@dataclass(frozen=True)
class ToolResult:
    """Output of a call, as text."""

    text: str
    call_id: str = ""


Item = SystemText | UserTurn | AssistantTurn | ToolCall | ToolResult
