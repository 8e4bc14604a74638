"""A conversation as a log: whatever is done to it, in whatever portions it is written, reading gives it back."""

import random

import orjson
import pytest

from a2serve.gateway.conversation.conversation import Conversation, Item, Part
from a2serve.gateway.conversation.item_log import SLACK, entries, is_long, items_of, removal


def said(number: int, **fields) -> Item:
    return Item(f"i{number}", parts=[Part("input_text", f"text {number}")], **fields)


def read(log: list[bytes]) -> list[str]:
    return [item["id"] for item in items_of(map(orjson.loads, log))]


@pytest.mark.parametrize("seed", range(30))
def test_it_comes_back_as_it_was(seed: int):
    order = random.Random(seed)
    conversation, log, changed, removed, number = Conversation(1000), list[bytes](), list[str](), list[str](), 0
    for _ in range(120):
        ids = [item.id for item in conversation.items]
        match order.choice(["add", "add", "insert", "change", "remove", "answer", "finish", "write"]):
            case "add":
                conversation.add(said(number := number + 1))
                changed.append(f"i{number}")
            case "insert":
                conversation.add(said(number := number + 1), order.choice([*ids, "root"]))
                changed.append(f"i{number}")
            case "answer":
                conversation.add(said(number := number + 1, status="in_progress"))
            case "finish":
                for item in conversation.items:
                    if item.status == "in_progress":
                        item.status = "completed"
                        changed.append(item.id)
            case "change" if ids:
                conversation.get(chosen := order.choice(ids)).parts[0].text = "other"
                changed.append(chosen)
            case "remove" if ids:
                conversation.remove(chosen := order.choice(ids))
                removed.append(chosen)
                changed = [item_id for item_id in changed if item_id != chosen]
            case "write":
                log += map(orjson.dumps, [*map(removal, removed), *entries(conversation.items, changed)])
                changed, removed = [], []
    for item in conversation.items:
        item.status = "completed"
    log += map(orjson.dumps, [*map(removal, removed), *entries(conversation.items, [item.id for item in conversation.items])])
    assert read(log) == [item.id for item in conversation.items]
    stored = items_of(map(orjson.loads, log))
    assert stored == [item.as_json() for item in conversation.items]


def test_what_an_older_gateway_stored_is_read():
    log = [orjson.dumps(said(n).as_json()) for n in (1, 2, 2, 3)]
    assert read(log) == ["i1", "i2", "i3"]


def test_an_item_looks_no_further_back_than_it_has_to():
    class Counted(list):
        looked = 0

        def __getitem__(self, place):
            Counted.looked += 1
            return super().__getitem__(place)

    items = Counted(said(n) for n in range(1000))
    assert [entry["after"] for entry in entries(items, ["i998", "i999"])] == ["i997", "i998"]
    assert Counted.looked < 20


def test_a_log_is_written_anew_only_when_that_costs_no_more_than_was_appended():
    assert not is_long(SLACK, 0) and is_long(SLACK + 1, 0)
    assert not is_long(2000 + SLACK, 1000) and is_long(2001 + SLACK, 1000)
