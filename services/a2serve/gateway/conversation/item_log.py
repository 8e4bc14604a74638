"""A conversation as it is stored: a log that is only appended to, so that one more item costs one more entry.

An entry is an item with `after`, the id of the stored item before it ("" for none), or a removal. An item that comes again
replaces the earlier one where it stands. Without `after` an item goes to the end.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

from a2serve.gateway.conversation.conversation import Item

Entry: TypeAlias = dict[str, Any]
SLACK = 64  # entries that a log may hold beyond twice its items, before it is written anew


def entries(items: list[Item], changed: Iterable[str]) -> list[Entry]:
    """Log entries of the finished items among `changed`, in the conversation's order. Looks no further back than it has to."""
    left, places = set(changed), list[int]()
    for place in range(len(items) - 1, -1, -1):
        if not left:
            break
        if items[place].id in left:
            left.discard(items[place].id)
            places.append(place)
    return [entry(items, place) for place in reversed(places) if _is_kept(items[place])]


def entry(items: list[Item], place: int, **changes: Any) -> Entry:
    """Log entry of the item at that place; `changes` replace its fields."""
    return items[place].as_json() | changes | {"after": _before(items, place)}


def removal(item_id: str) -> Entry:
    """The item is not in the conversation any more."""
    return {"id": item_id, "removed": True}


def items_of(log: Iterable[Entry]) -> list[Entry]:
    """The conversation's items as JSON, oldest first."""
    items: list[Entry] = []
    at: dict[str, Entry] = {}
    for entry in log:
        known = at.get(entry["id"])
        if entry.get("removed"):
            if known is not None:
                items.remove(at.pop(entry["id"]))
            continue
        after = entry.pop("after", None)
        if known is not None:
            known.clear()
            known.update(entry)
        else:
            at[entry["id"]] = entry
            items.insert(_place(items, after), entry)
    return items


def is_long(entries_count: int, items_count: int) -> bool:
    """True if writing the log anew costs no more than what was appended since it was last written."""
    return entries_count > 2 * items_count + SLACK


def _place(items: list[Entry], after: str | None) -> int:
    """Behind `after`; at the end where that is not known."""
    if after == "":
        return 0
    if after is None or (items and items[-1]["id"] == after):
        return len(items)
    return next((place + 1 for place in range(len(items) - 1, -1, -1) if items[place]["id"] == after), len(items))


def _before(items: list[Item], place: int) -> str:
    return next((items[i].id for i in range(place - 1, -1, -1) if _is_kept(items[i])), "")


def _is_kept(item: Item) -> bool:
    return item.status != "in_progress"
