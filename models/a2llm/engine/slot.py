"""One row of the engine's KV cache, together with the ids whose keys and values it holds, and with the backbone's states at those
positions that a response asks for. Nobody else changes any of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from a2llm.language.turn_end import common_prefix


class Slot:
    """A row that begins empty. `cache` is a `KVCache` or another runtime's."""

    def __init__(self, cache: Any, row: int) -> None:
        self._cache, self._row = cache, row
        self._ids: list[int] = []
        self._wanted: tuple[int, ...] = ()
        self._states: dict[int, np.ndarray] = {}  # by position; of those that were wanted last, a fraction of what the keys take
        cache.truncate(row, 0)

    @property
    def row(self) -> int:
        """Place in every batch of the engine."""
        return self._row

    @property
    def ids(self) -> list[int]:
        """Ids that were read and are held. To be read only."""
        return self._ids

    @property
    def states(self) -> dict[int, np.ndarray]:
        """States [S] that are held, by position. To be read only."""
        return self._states

    @property
    def wanted_states(self) -> np.ndarray:
        """States [N, S] at the wanted positions that were read so far, in order."""
        found = [self._states[place] for place in self._wanted if place in self._states]
        return np.stack(found) if found else np.zeros((0, 0), np.float32)

    def fit(self, prompt: list[int], wanted: Sequence[int] = ()) -> list[int]:
        """Keep what the row and the prompt begin with in common; returns the rest, at least one id, which is to be read.

        wanted: positions of the prompt, rising, whose states are asked for. From the first one that is not held on, all is read again.
        """
        same = common_prefix(self._ids, prompt)
        self._wanted = tuple(wanted)
        self._states = {place: self._states[place] for place in wanted if place < same and place in self._states}
        missing = next((place for place in wanted if place not in self._states), len(prompt))
        kept = min(same, len(prompt) - 1, missing)
        self._cache.truncate(self._row, kept)
        self._ids = prompt[:kept]
        return prompt[kept:]

    def places_wanted(self, ids: Sequence[int]) -> list[int]:
        """Places in `ids`, which are read next, whose states are wanted."""
        first = len(self._ids)
        return [place - first for place in self._wanted if first <= place < first + len(ids)]

    def note_read(self, ids: Sequence[int], states: np.ndarray | None = None) -> None:
        """The backbone has read these ids into the row. states [N, S]: at their places that are wanted."""
        if states is not None:
            first = len(self._ids)
            self._states |= {first + place: state for place, state in zip(self.places_wanted(ids), states, strict=True)}
        self._ids.extend(ids)

    def save(self, cache: Any, length: int) -> None:
        """Copy the first `length` positions into a cache of one row."""
        cache.copy_row(0, self._cache, self._row, length)

    def load(self, cache: Any, ids: Sequence[int], states: dict[int, np.ndarray]) -> None:
        """Replace the content by that of a cache of one row, which holds these ids, and the states at their positions."""
        self._cache.copy_row(self._row, cache, 0)
        self._ids, self._states = list(ids), dict(states)
