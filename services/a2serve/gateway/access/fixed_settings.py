"""Checks that the settings which a client secret fixes stay as they are: after merging, so that it does not matter which way a change
came.

Fixed is every setting that was named when the secret was minted, but `type` and `model`, which the client cannot choose.
"""

from collections.abc import Iterator
from typing import Any

from a2serve.contracts.items import MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.contracts.wire import Mergeable

OURS = ("type", "model")


def check_settings(fixed: SessionConfig, result: SessionConfig, where: str) -> None:
    """Raises Problem(forbidden) that names the first setting of `result` that is not as `fixed` names it."""
    for param in _changed(fixed, result, where):
        raise Problem(Code.FORBIDDEN, f"{param} is fixed by the client secret", param=param)


def check_item(fixed: SessionConfig, item: object) -> None:
    """Raises Problem(forbidden) for a message of the system where the instructions are fixed."""
    if "instructions" in fixed.model_fields_set and isinstance(item, MessageItem) and item.role == "system":
        raise Problem(Code.FORBIDDEN, "item.role is fixed by the client secret: instructions are", param="item.role")


def without_loose_instructions(fixed: SessionConfig, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items without messages of the system, where the instructions are fixed."""
    return [item for item in items if item.get("role") != "system"] if "instructions" in fixed.model_fields_set else items


def _changed(fixed: Mergeable, result: Any, path: str) -> Iterator[str]:
    if result is None:
        yield path
        return
    for name in type(fixed).model_fields:
        if name not in fixed.model_fields_set or name in OURS:
            continue
        wanted, is_now = getattr(fixed, name), getattr(result, name)
        if isinstance(wanted, Mergeable):
            yield from _changed(wanted, is_now, f"{path}.{name}")
        elif not _same(name, wanted, is_now):
            yield f"{path}.{name}"


def _same(name: str, wanted: Any, is_now: Any) -> bool:
    """Fewer tokens are no change; everything else has to be equal."""
    if name == "max_output_tokens":
        return wanted == "inf" or (is_now != "inf" and is_now <= wanted)
    return bool(wanted == is_now)
