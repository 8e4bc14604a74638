"""Slots: admission, sharing among tenants, and which session loses one."""

import pytest

from a2serve.inference.slots import SlotsFull, SlotTable


def test_a_session_keeps_its_slot_while_it_is_silent():
    table = SlotTable(2)
    assert table.take("a") is None
    table.rest("a")
    assert (table.speaking, table.held) == (0, 1)
    assert table.take("a") is None
    assert (table.speaking, table.held) == (1, 1)


def test_the_session_silent_for_longest_loses_its_slot():
    table = SlotTable(2)
    for name in "ab":
        table.take(name)
        table.rest(name)
    table.take("a")
    table.rest("a")
    assert table.take("c") == "b"
    assert table.held == 2


def test_a_speaking_session_is_never_evicted():
    table = SlotTable(2)
    table.take("a")
    table.take("b")
    with pytest.raises(SlotsFull, match="all 2 slots"):
        table.take("c")
    table.rest("b")
    assert table.take("c") == "b"
    assert table.speaking == 2


def test_unknown_sessions_are_no_error():
    table = SlotTable(1)
    table.rest("nobody")
    assert not table.drop("nobody")
    table.take("a")
    assert table.drop("a")
    assert table.held == 0
