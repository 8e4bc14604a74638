"""The conversation of a session: its items in order, how they are cut, how the model and the wire read them. Pure data."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import orjson

from a2llm import messages
from a2llm.messages import Affect
from a2serve.contracts.items import ContentPart, ConversationItem, FunctionCallItem, FunctionCallOutputItem, ItemStatus, MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.conversation.words import Word, heard, joined

PartType: TypeAlias = Literal["input_text", "input_audio", "output_text", "output_audio"]
ROOT = "root"


@dataclass(slots=True)
class Part:
    """Text, or the transcript of audio (None until it is known)."""

    type: PartType
    text: str | None


@dataclass(slots=True)
class Item:
    """A message, a function call (`text` = arguments) or its output (`text` = output)."""

    id: str
    type: Literal["message", "function_call", "function_call_output"] = "message"
    role: Literal["system", "user", "assistant"] = "user"
    parts: list[Part] = field(default_factory=list[Part])
    status: ItemStatus = "completed"
    call_id: str = ""
    name: str = ""
    text: str = ""
    words: list[Word] = field(default_factory=list[Word])
    audio_ms: float = 0.0
    voice_affect: Affect | None = None
    sequence: int = 0  # of the event that told the client it was done
    tokens: list[int] = field(default_factory=list[int])  # of an answer that was not cut: as the model wrote it

    @property
    def size_bytes(self) -> int:
        """Size of the item's text and name in UTF-8."""
        return len(self.transcript().encode()) + len(self.name.encode())

    def transcript(self) -> str:
        """Everything said or written in it."""
        return "\n".join(part.text for part in self.parts if part.text) if self.type == "message" else self.text

    def cut(self, end_ms: float) -> int:
        """Keep only the words that were heard before `end_ms`; returns the clamped end."""
        end = min(max(end_ms, 0.0), self.audio_ms)
        kept = heard(self.words, end)
        if len(kept) < len(self.words):
            self.tokens = []
        self.words, self.audio_ms = kept, end
        self.parts = [Part("output_audio", joined(self.words))]
        return int(end)

    def wire(self) -> ConversationItem:
        """The item as the Realtime wire has it."""
        if self.type == "function_call":
            return FunctionCallItem(
                id=self.id, object="realtime.item", status=self.status, call_id=self.call_id, name=self.name, arguments=self.text
            )
        if self.type == "function_call_output":
            return FunctionCallOutputItem(id=self.id, object="realtime.item", status=self.status, call_id=self.call_id, output=self.text)
        parts = [_wire_part(part) for part in self.parts]
        return MessageItem(id=self.id, object="realtime.item", status=self.status, role=self.role, content=parts)

    def prompt(self) -> messages.Item:
        """The item as the model reads it."""
        if self.type == "function_call":
            return messages.FunctionCall(self.name, self.text, self.call_id)
        if self.type == "function_call_output":
            return messages.ToolResult(self.text, self.call_id)
        match self.role:
            case "user":
                return messages.UserTurn(self.transcript(), self.voice_affect)
            case "assistant":
                return messages.AssistantTurn(self.transcript(), tuple(self.tokens))
            case "system":
                return messages.SystemText(self.transcript())

    def as_json(self) -> dict[str, Any]:
        """For the store. By orjson, since all items of a conversation are written several times in a turn: a tenth of `asdict`."""
        return orjson.loads(orjson.dumps(self))


def item_from_json(body: dict[str, Any]) -> Item:
    """Reads an item from the store. A gateway of another version may have written it: fields that only a newer one knows are left out."""
    affect = body["voice_affect"]
    parts, words = [Part(**_known(Part, part)) for part in body["parts"]], [Word(**_known(Word, word)) for word in body["words"]]
    own = {"parts": parts, "words": words, "voice_affect": Affect(**_known(Affect, affect)) if affect else None}
    return Item(**_known(Item, body | own))


def _known(kind: type[Part | Word | Affect | Item], body: dict[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in kind.__match_args__ if name in body}


class Conversation:
    """Ordered items with unique ids. Raises Problem (item_not_found, item_already_exists, conversation_full)."""

    def __init__(self, max_items: int, items: list[Item] | None = None, max_bytes: int = 16 << 20) -> None:
        self.items: list[Item] = items or []
        self._by_id = {item.id: item for item in self.items}
        self._sizes = {item.id: item.size_bytes for item in self.items}
        self._bytes = sum(self._sizes.values())
        self._max_items, self._max_bytes = max_items, max_bytes

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Inserts behind `after` (None: at the end, "root": at the beginning); returns the id of the one before. Raises Problem."""
        if item.id in self._by_id:
            raise Problem(Code.ITEM_EXISTS, f"an item {item.id!r} exists already", param="item.id")
        if len(self.items) >= self._max_items:
            raise Problem(Code.CONVERSATION_FULL, f"a conversation holds at most {self._max_items} items")
        if (size := item.size_bytes) and self._bytes + size > self._max_bytes:  # what is said from now on has none yet
            raise Problem(Code.CONVERSATION_FULL, f"a conversation holds at most {self._max_bytes} bytes of text")
        if item.type == "function_call_output" and not any(i.type == "function_call" and i.call_id == item.call_id for i in self.items):
            raise Problem(Code.INVALID_CALL_ID, f"no function call has call_id {item.call_id!r}", param="item.call_id")
        place = len(self.items) if after is None else 0 if after == ROOT else self._index(after, "previous_item_id") + 1
        self.items.insert(place, item)
        self._by_id[item.id] = item
        self._sizes[item.id] = size
        self._bytes += size
        return self.items[place - 1].id if place else None

    def get(self, item_id: str) -> Item:
        """Returns the item. Raises Problem for an unknown id."""
        found = self._by_id.get(item_id)
        if found is None:
            raise _unknown(item_id, "item_id")
        return found

    def holds(self, item: Item) -> bool:
        """Whether it is in here: this one, not another with its id."""
        return self._by_id.get(item.id) is item

    def remove(self, item_id: str) -> None:
        """Removes an item. Raises Problem for an unknown id."""
        del self.items[self._index(item_id, "item_id")]
        del self._by_id[item_id]
        self._bytes -= self._sizes.pop(item_id)

    def before(self, item_id: str) -> str | None:
        """The id of the one before."""
        place = self._index(item_id, "item_id")
        return self.items[place - 1].id if place else None

    def prompt(self) -> tuple[messages.Item, ...]:
        """All of it, for the model."""
        return prompt_of(self.items)

    def last_assistant_text(self) -> str:
        """Transcript of the avatar's last message; empty if there is none."""
        return next((item.transcript() for item in reversed(self.items) if item.type == "message" and item.role == "assistant"), "")

    def _index(self, item_id: str, param: str) -> int:
        """Looks from the end: that is where it mostly is."""
        if item_id not in self._by_id:
            raise _unknown(item_id, param)
        return next(place for place in range(len(self.items) - 1, -1, -1) if self.items[place].id == item_id)


def _unknown(item_id: str, param: str) -> Problem:
    return Problem(Code.ITEM_NOT_FOUND, f"no item {item_id!r} in this conversation", param=param)


def prompt_of(items: list[Item]) -> tuple[messages.Item, ...]:
    """Items for the model. Empty messages (nothing was heard of them) are left out, except a user's last, who was silent."""
    silent = items[-1] if items and items[-1].role == "user" else None
    return tuple(item.prompt() for item in items if item is silent or item.type != "message" or item.transcript())


def item_of_wire(item: ConversationItem, item_id: str) -> Item:
    """An item that a client creates. Raises Problem (unsupported: images, another party's kind of content)."""
    if isinstance(item, FunctionCallItem):
        return Item(item_id, "function_call", call_id=item.call_id or item_id, name=item.name, text=item.arguments)
    if isinstance(item, FunctionCallOutputItem):
        return Item(item_id, "function_call_output", call_id=item.call_id, text=item.output)
    return Item(item_id, role=item.role, parts=[_part_of(part, item.role) for part in item.content])


def _part_of(part: ContentPart, role: str) -> Part:
    allowed = {"system": ("input_text",), "user": ("input_text", "input_audio"), "assistant": ("output_text", "output_audio")}[role]
    if part.type not in allowed or part.type == "input_image":
        raise Problem(Code.UNSUPPORTED, f"{role} messages hold {' or '.join(allowed)}, not {part.type}", param="item.content")
    if part.type == "input_audio":
        return Part("input_audio", part.transcript)
    return Part("output_text" if role == "assistant" else "input_text", part.text or part.transcript or "")


def _wire_part(part: Part) -> ContentPart:
    if part.type in ("input_audio", "output_audio"):
        return ContentPart(type=part.type, transcript=part.text)
    return ContentPart(type=part.type, text=part.text or "")
