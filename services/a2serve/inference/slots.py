"""Gives slots to sessions: admission, reuse and eviction. Pure bookkeeping; used by one thread, holds no tensors."""

from collections import OrderedDict
from dataclasses import dataclass, field


class SlotsFull(RuntimeError):
    """Raised if a response runs in every slot."""


@dataclass
class SlotTable:
    """Sessions in the order of their last use. A session that is silent keeps its slot until another one needs it."""

    size: int
    _speaking: OrderedDict[str, bool] = field(default_factory=OrderedDict[str, bool])

    def take(self, session_id: str) -> str | None:
        """Give the session a slot to speak in; returns the session that lost it, if any. Raises SlotsFull."""
        evicted = None
        if session_id not in self._speaking and len(self._speaking) >= self.size:
            evicted = next((name for name, speaks in self._speaking.items() if not speaks), None)
            if evicted is None:
                raise SlotsFull(f"all {self.size} slots are speaking")
            del self._speaking[evicted]
        self._speaking[session_id] = True
        self._speaking.move_to_end(session_id)
        return evicted

    def rest(self, session_id: str) -> None:
        """The session has stopped speaking; it keeps its slot."""
        if session_id in self._speaking:
            self._speaking[session_id] = False

    def drop(self, session_id: str) -> bool:
        """Give the slot back; returns whether there was one."""
        return self._speaking.pop(session_id, None) is not None

    @property
    def speaking(self) -> int:
        return sum(self._speaking.values())

    @property
    def held(self) -> int:
        """Slots that belong to a session, speaking or not."""
        return len(self._speaking)
