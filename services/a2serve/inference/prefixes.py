"""What conversations begin with (instructions and tools), read once: a new session takes the KV cache over instead of computing it.

So the first turn of a session costs no more than the next ones, and nobody who speaks is disturbed: taking over is a copy.
Memory is bounded by rows and tokens; the beginning that was not asked for longest gives way. Used by the engine's thread.
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch

from a2llm.conversation import Conversation
from a2llm.engine import Engine

LONGEST = 512  # tokens of a beginning; 46 KB each for the default backbone, taken from the system as they are used
Beginning = tuple[int, ...]


class Prefixes:
    """Rows of a cache beside the engine's."""

    def __init__(self, engine: Engine, rows: int) -> None:
        self._engine, self._rows = engine, rows
        self._cache = engine.parts.backbone.new_cache(rows, LONGEST)
        self._held: OrderedDict[Beginning, int] = OrderedDict()  # ids -> row; the one used last stands last

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> None:
        """Compute a beginning, before anybody asks for it; what is too long is left out."""
        row = self._place(tuple(ids))
        if row is None:
            return
        tokens, counts = torch.zeros(self._rows, len(ids), dtype=torch.long), torch.zeros(self._rows, dtype=torch.long)
        tokens[row], counts[row] = torch.tensor(ids), len(ids)
        self._engine.parts.backbone.forward(tokens, self._cache, counts)

    def lend(self, conversation: Conversation, ids: Sequence[int]) -> None:
        """The conversation's slot holds this beginning from now on, where it is known and the slot does not have it anyway."""
        row = self._held.get(tuple(ids))
        if row is None:
            return
        self._held.move_to_end(tuple(ids))
        if conversation.cached[: len(ids)] != list(ids):
            self._engine.cache.copy_row(conversation.row, self._cache, row)
            conversation.cached = list(ids)

    def learn(self, conversation: Conversation, ids: Sequence[int]) -> None:
        """Keep a beginning that the conversation's slot has read."""
        if conversation.cached[: len(ids)] != list(ids):
            return
        row = self._place(tuple(ids))
        if row is not None:
            self._cache.copy_row(row, self._engine.cache, conversation.row, len(ids))

    def _place(self, ids: Beginning) -> int | None:
        """An empty row for a beginning that is new; None for one that is known or too long."""
        if ids in self._held or not 0 < len(ids) <= LONGEST:
            return None
        row = len(self._held) if len(self._held) < self._rows else self._held.popitem(last=False)[1]
        self._held[ids] = row
        self._cache.truncate(row, 0)
        return row
