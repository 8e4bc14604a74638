"""Prefixes in, the same keys and values out: for whom, in which order they give way, and how much is kept."""

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.engine.prefix_cache import PrefixCache
from a2llm.engine.slot import Slot

SHARED, OTHER = list(range(10, 20)), list(range(30, 40))


class Row:
    """A slot in a cache of its own, which the backbone may read into."""

    def __init__(self, *ids: int) -> None:
        self.cache = tiny.backbone().new_cache(2, 64)
        self.slot = Slot(self.cache, 1)
        if ids:
            tiny.backbone().forward(torch.tensor([[0] * len(ids), list(ids)]), self.cache, torch.tensor([0, len(ids)]))
            self.slot.note_read(ids)

    @property
    def keys(self) -> np.ndarray:
        return self.cache.keys[:, 1, :, : len(self.slot.ids)].numpy()


def test_a_slot_keeps_what_a_prompt_begins_with_and_reads_the_last_id_again():
    row = Row(1, 2, 3, 4)
    assert row.slot.fit([1, 2, 9, 9]) == [9, 9] and row.slot.ids == [1, 2]
    assert row.slot.fit([1, 2]) == [2] and row.slot.ids == [1]
    assert int(row.cache.lengths[1]) == 1


def test_an_opening_serves_every_slot():
    prefixes, first, second = PrefixCache(tiny.backbone(), 100), Row(*SHARED, 1, 2), Row(7)
    prefixes.store(SHARED, first.slot)
    prefixes.restore(SHARED, second.slot)
    assert second.slot.ids == SHARED
    np.testing.assert_array_equal(second.keys, first.keys[:, :, :10])
    assert second.slot.fit([*SHARED, 5]) == [5]


def test_an_opening_that_was_read_ahead_is_the_same():
    prefixes, row, read = PrefixCache(tiny.backbone(), 100), Row(), Row(*SHARED)
    prefixes.read(SHARED)
    prefixes.restore(SHARED, row.slot)
    np.testing.assert_allclose(row.keys, read.keys, atol=1e-5)


def test_a_slot_that_begins_with_it_keeps_the_rest_of_what_it_holds():
    prefixes, row = PrefixCache(tiny.backbone(), 100), Row(*SHARED, 1, 2)
    prefixes.store(SHARED, row.slot)
    prefixes.restore(SHARED, row.slot)
    assert row.slot.ids == [*SHARED, 1, 2]


def test_only_what_a_slot_holds_is_stored():
    prefixes = PrefixCache(tiny.backbone(), 100)
    prefixes.store(SHARED, Row(*OTHER).slot)
    assert prefixes.tokens == 0


def test_a_spilled_conversation_is_restored_once_and_under_its_own_key():
    prefixes, row, same, other = PrefixCache(tiny.backbone(), 100), Row(*SHARED, 1), Row(), Row()
    prefixes.spill("a", row.slot)
    prefixes.restore_spilled("b", other.slot)
    prefixes.restore_spilled("a", same.slot)
    assert (other.slot.ids, same.slot.ids, prefixes.tokens) == ([], [*SHARED, 1], 0)
    np.testing.assert_array_equal(same.keys, row.keys)


def test_a_slot_holds_the_states_that_are_asked_for_and_reads_again_what_it_lacks():
    row, states = Row(), np.arange(12.0, dtype=np.float32).reshape(6, 2)
    assert row.slot.fit([1, 2, 3, 4, 5, 6], (2, 4)) == [1, 2, 3, 4, 5, 6]
    for part in ([1, 2, 3], [4, 5, 6]):
        places = row.slot.places_wanted(part)
        tiny.backbone().forward(torch.tensor([[0] * 3, part]), row.cache, torch.tensor([0, 3]))
        first = len(row.slot.ids)
        row.slot.note_read(part, states[[first + place for place in places]])
    np.testing.assert_array_equal(row.slot.wanted_states, states[[2, 4]])
    assert row.slot.fit([1, 2, 3, 4, 9], (2,)) == [9], "held"
    assert row.slot.fit([1, 2, 3, 4, 9], (1, 2)) == [2, 3, 4, 9], "one of them is not held"


def test_a_spilled_conversation_takes_its_states_along():
    prefixes, row, again = PrefixCache(tiny.backbone(), 100), Row(), Row()
    row.slot.fit([1, 2, 3], (1,))
    tiny.backbone().forward(torch.tensor([[0] * 3, [1, 2, 3]]), row.cache, torch.tensor([0, 3]))
    row.slot.note_read([1, 2, 3], np.ones((1, 4), np.float32))
    prefixes.spill("a", row.slot)
    prefixes.restore_spilled("a", again.slot)
    assert again.slot.fit([1, 2, 3, 4], (1,)) == [4] and again.slot.wanted_states.tolist() == [[1.0] * 4]


def test_a_conversation_that_is_spilled_again_replaces_the_older_one():
    prefixes = PrefixCache(tiny.backbone(), 100)
    prefixes.spill("a", Row(*SHARED).slot)
    prefixes.spill("a", Row(*OTHER, 1).slot)
    assert prefixes.tokens == 11
    prefixes.forget("a")
    assert prefixes.tokens == 0


def test_the_least_recently_used_gives_way():
    prefixes = PrefixCache(tiny.backbone(), 25)
    for ids in (SHARED, OTHER):
        prefixes.store(ids, Row(*ids).slot)
    prefixes.restore(SHARED, Row().slot)
    prefixes.spill("a", Row(1, 2, 3, 4, 5, 6, 7, 8).slot)
    used, gone = Row(), Row()
    prefixes.restore(SHARED, used.slot)
    prefixes.restore(OTHER, gone.slot)
    assert (used.slot.ids, gone.slot.ids, prefixes.tokens) == (SHARED, [], 18)


@pytest.mark.parametrize("capacity", [0, 9])
def test_what_is_larger_than_the_cache_is_left_out(capacity: int):
    prefixes = PrefixCache(tiny.backbone(), capacity)
    prefixes.read(SHARED)
    prefixes.store(SHARED, Row(*SHARED).slot)
    prefixes.spill("a", Row(*SHARED).slot)
    assert prefixes.tokens == 0
