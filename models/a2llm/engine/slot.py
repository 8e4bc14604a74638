"""One row of the engine's KV cache, together with the ids whose keys and values it holds. Nobody else changes either."""

from collections.abc import Sequence
from typing import Any

from a2llm.language.turn_end import common_prefix


class Slot:
    """A row that begins empty. `cache` is a `KVCache` or another runtime's."""

    def __init__(self, cache: Any, row: int) -> None:
        self._cache, self._row = cache, row
        self._ids: list[int] = []
        cache.truncate(row, 0)

    @property
    def row(self) -> int:
        """Place in every batch of the engine."""
        return self._row

    @property
    def ids(self) -> list[int]:
        """Ids that were read and are held. To be read only."""
        return self._ids

    def fit(self, prompt: list[int]) -> list[int]:
        """Keep what the row and the prompt begin with in common; returns the rest, at least one id, which is to be read."""
        kept = min(common_prefix(self._ids, prompt), len(prompt) - 1)
        self._cache.truncate(self._row, kept)
        self._ids = prompt[:kept]
        return prompt[kept:]

    def note_read(self, ids: Sequence[int]) -> None:
        """The backbone has read these ids into the row."""
        self._ids.extend(ids)

    def save(self, cache: Any, length: int) -> None:
        """Copy the first `length` positions into a cache of one row."""
        cache.copy_row(0, self._cache, self._row, length)

    def load(self, cache: Any, ids: Sequence[int]) -> None:
        """Replace the content by that of a cache of one row, which holds these ids."""
        self._cache.copy_row(self._row, cache, 0)
        self._ids = list(ids)
