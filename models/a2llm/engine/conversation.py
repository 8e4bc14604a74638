"""One conversation: who speaks, and the slot that holds what was read of it."""

from collections.abc import Sequence
from typing import Protocol

from a2llm.engine.slot import Slot
from a2llm.messages import Item, Persona


class Said(Protocol):
    """A response, as far as it came."""

    @property
    def said(self) -> Item: ...


class Conversation:
    """Made by `Engine.open_conversation`. key: the name under which it may be spilled, and restored by a later one; "" is none."""

    def __init__(self, persona: Persona, slot: Slot, key: str = "") -> None:
        self._persona, self._slot, self._key = persona, slot, key
        self._closed = False
        self._items: list[Item] = []
        self._last: Said | None = None

    @property
    def persona(self) -> Persona:
        return self._persona

    @property
    def slot(self) -> Slot:
        return self._slot

    @property
    def key(self) -> str:
        return self._key

    @property
    def row(self) -> int:
        """Place in every batch of the engine."""
        return self._slot.row

    @property
    def cached(self) -> list[int]:
        """Ids that the slot holds. To be read only."""
        return self._slot.ids

    @property
    def closed(self) -> bool:
        return self._closed

    def change_persona(self, persona: Persona) -> None:
        """Counts from the next response on."""
        self._persona = persona

    def close(self) -> None:
        """Called by the engine, which gives the slot to others."""
        self._closed = True

    def begin_turn(self, item: Item) -> Sequence[Item]:
        """Add the last response, as far as it came, and the user's next item; returns all items so far.

        For a caller that leaves this bookkeeping to `Engine.open_stream`.
        """
        self._items += [self._last.said, item] if self._last else [item]
        return self._items

    def note_response(self, response: Said) -> None:
        """The response to the item that was added last."""
        self._last = response
