"""Keys and values of prefixes that were read and may be asked for again: openings of conversations, and spilled conversations.

A conversation that restores one copies keys and values instead of computing them: its first sound comes as soon as if it had kept its
slot, and no other response is held up. An opening (instructions and tools) serves every conversation, a spilled one only its own key.
Memory is bounded by tokens and taken as it is used; the least recently used prefix gives way. Not thread-safe: the engine's thread.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from a2llm.engine.slot import Slot
from a2llm.language.runtime import Backbone

Key = str | tuple[int, ...]  # of a spilled conversation its key, of an opening its ids


class Prefix(NamedTuple):
    """Ids, a cache of one row that holds them, and the states at some of their positions (`Slot.states`)."""

    ids: list[int]
    cache: Any
    states: dict[int, np.ndarray]


class PrefixCache:
    """At most `capacity` tokens, beside the engine's own cache; 0 stores nothing."""

    def __init__(self, backbone: Backbone, capacity: int) -> None:
        self._backbone, self._capacity = backbone, capacity
        self._prefixes: OrderedDict[Key, Prefix] = OrderedDict()  # the most recently used stands last

    @property
    def tokens(self) -> int:
        """Number of tokens that are stored now."""
        return sum(len(prefix.ids) for prefix in self._prefixes.values())

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> None:
        """Compute an opening before anybody asks for it; one that is too long is left out."""
        cache = self._reserve(tuple(ids), ids)
        if cache is not None:
            self._backbone.forward(torch.tensor([ids]), cache)

    @torch.inference_mode()
    def store(self, ids: Sequence[int], slot: Slot) -> None:
        """Keep an opening, if the slot begins with it."""
        if tuple(ids) not in self._prefixes and slot.ids[: len(ids)] == list(ids):
            self._copy(tuple(ids), slot, ids)

    @torch.inference_mode()
    def restore(self, ids: Sequence[int], slot: Slot) -> None:
        """Fill the slot with an opening that is stored, unless the slot begins with it already."""
        prefix = self._prefixes.get(tuple(ids))
        if prefix and slot.ids[: len(ids)] != prefix.ids:
            self._prefixes.move_to_end(tuple(ids))
            slot.load(prefix.cache, prefix.ids, {})

    @torch.inference_mode()
    def spill(self, key: str, slot: Slot) -> None:
        """Keep all that the slot holds."""
        self._prefixes.pop(key, None)
        self._copy(key, slot, slot.ids)
        if key in self._prefixes:
            self._prefixes[key].states.update(slot.states)

    @torch.inference_mode()
    def restore_spilled(self, key: str, slot: Slot) -> None:
        """Fill the slot with what was spilled under this key, which is then the slot's alone."""
        if prefix := self._prefixes.pop(key, None):
            slot.load(prefix.cache, prefix.ids, prefix.states)

    def forget(self, key: str) -> None:
        """Drop what was spilled under this key."""
        self._prefixes.pop(key, None)

    def _copy(self, key: Key, slot: Slot, ids: Sequence[int]) -> None:
        cache = self._reserve(key, ids)
        if cache is not None:
            slot.save(cache, len(ids))

    def _reserve(self, key: Key, ids: Sequence[int]) -> Any:
        """An empty cache for a new prefix; None for one that is known, empty or too long."""
        if key in self._prefixes or not 0 < len(ids) <= self._capacity:
            return None
        while self.tokens + len(ids) > self._capacity:
            self._prefixes.popitem(last=False)
        prefix = self._prefixes[key] = Prefix(list(ids), self._backbone.new_cache(1, len(ids)), {})
        return prefix.cache
