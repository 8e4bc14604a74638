"""The one reader of JSON that comes from outside: bodies of REST requests and events of sockets.

What it lets through can be stored, written again and shown everywhere: text is Unicode without NUL, numbers fit into 64 bits,
nothing is deeper than MAX_DEPTH or holds more than MAX_VALUES values. What fields there are is the models' business.
"""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from pydantic_core import from_json

from a2serve.contracts.problems import Code, Problem

MAX_DEPTH = 64
MAX_VALUES = 200_000
LARGEST_INTEGER = 2**63 - 1
LARGEST_EXACT = 2**53  # of a float that stands for one integer only
Path: TypeAlias = tuple[str | int, ...]


def read_json(text: str | bytes) -> Any:
    """The value. Raises Problem: invalid_json, or not_storable that names the field (see `check_json`)."""
    value = parse_json(text)
    check_json(value)
    return value


def parse_json(text: str | bytes) -> Any:
    """The value, unchecked. Raises Problem where it is not even JSON."""
    try:
        return from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError as error:
        raise _unreadable(text, error) from None


def check_json(value: Any) -> None:
    """Raises Problem(not_storable) with the path of the first value that cannot be kept.

    In place, 1.0 becomes 1: for JSON they are one number, and only one of them is an integer for our models.
    """
    seen = 0
    waiting: list[tuple[Any, Path]] = [(value, ())]
    while waiting:
        entry, path = waiting.pop()
        seen += 1
        if fault := _fault(entry, path):
            raise _wrong(path, fault)
        if isinstance(entry, (dict, list)):
            if seen + len(waiting) + len(entry) > MAX_VALUES:  # pyright: ignore[reportUnknownArgumentType]
                raise _wrong(path, "has too many values")  # before they are walked: they cost a hundred bytes each
            waiting += _inside(entry, path)  # pyright: ignore[reportUnknownArgumentType]


def _inside(entry: dict[str, Any] | list[Any], path: Path) -> Iterator[tuple[Any, Path]]:
    places: Any = entry  # by name or by number
    named: Iterable[tuple[Any, Any]] = entry.items() if isinstance(entry, dict) else enumerate(entry)
    for name, item in named:
        if fault := _fault(name, path):
            raise _wrong(path, f"the name of a field {fault}")
        if isinstance(item, float) and item.is_integer() and abs(item) <= LARGEST_EXACT:
            places[name] = int(item)
        yield item, (*path, name)


def _fault(value: Any, path: Path) -> str:
    """Describes what is wrong with the value itself; empty if nothing is."""
    if isinstance(value, str):
        if "\0" in value:
            return "may not hold the character NUL"
        return "" if value.isascii() or _is_unicode(value) else "holds half a character (a lone surrogate)"
    if isinstance(value, int):
        return "" if -LARGEST_INTEGER <= value <= LARGEST_INTEGER else "is a number beyond 64 bits"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "is not a finite number"
    return f"is nested deeper than {MAX_DEPTH}" if len(path) > MAX_DEPTH else ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(text: str | bytes, error: ValueError) -> Problem:
    """Names the field where a more lenient reader finds one: half a character, thousands of digits."""
    try:
        check_json(json.loads(text, parse_constant=_refuse))
    except Problem as problem:
        return problem
    except (ValueError, RecursionError):
        pass
    return Problem(Code.INVALID_JSON, f"not JSON that can be read: {error}")


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _wrong(path: Path, fault: str) -> Problem:
    place = ".".join(str(part)[:64] for part in path[:8]).encode("ascii", "backslashreplace").decode()
    return Problem(Code.NOT_STORABLE, f"{place or 'the value'} {fault}", param=place or None)
