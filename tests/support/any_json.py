"""Arbitrary JSON in every field: where fields are (from a JSON schema), what is put there, and a body around it that is else valid."""

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from hypothesis import strategies as st

from a2serve.contracts.events import CLIENT_EVENTS

Path: TypeAlias = tuple[str | int, ...]
Body: TypeAlias = tuple[str, bytes]  # route, JSON


class Raw(float):
    """A number written as these characters."""

    def __new__(cls, text: str) -> "Raw":
        made = super().__new__(cls, 0.5)
        made.text = text
        return made

    def __repr__(self) -> str:
        return self.text


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


# What each has broken somewhere: text, numbers, depth, and plain wrong types.
NASTY: list[Any] = [
    "\ud800",
    "a\0b",
    {"\ud800": 1},
    {"\0": 1},
    10**20,
    -(2**63) - 1,
    10**400,
    Raw("1e999"),
    Raw("NaN"),
    Raw("1e20"),
    nested(70),
    nested(300),
    None,
    True,
    0,
    -1,
    "",
    "9" * 40,
    [],
    {},
    [None],
    {"type": "function", "name": "x", "parameters": {"maximum": 10**20}},
    {"object": "\ud83d\ude00 \u2028 \ufffe"},
    1e308,
    "x" * 70_000,
]

_texts = st.text(st.characters(exclude_categories=()), max_size=8)
_numbers = st.integers() | st.integers(-(10**25), 10**25) | st.floats() | st.sampled_from([Raw("1e999"), Raw("-1E400"), Raw("0.1e-999")])
anything = st.recursive(
    st.none() | st.booleans() | _numbers | _texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3)
) | st.sampled_from(NASTY)


def written(body: Any) -> bytes:
    """JSON, with whatever characters and numbers are in it."""
    return json.dumps(body).encode()


def bodies(document: dict[str, Any], values: list[Any]) -> list[Body]:
    """Each value in each field of each body of an OpenAPI document, and as the whole body."""
    made: list[Body] = []
    for route, operations in document["paths"].items():
        schema = operations.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        if schema:
            made += [(route, written(around(path, value, schema, document))) for path in places(schema, document) for value in values]
            made += [(route, written(value)) for value in values]
    return made


def events(values: list[Any]) -> list[bytes]:
    """Each value in each field of each event that a client may send."""
    made: list[bytes] = []
    for name, kind in CLIENT_EVENTS.items():
        schema = kind.model_json_schema()
        for path in places(schema, schema):
            if path != ("type",):
                made += [written({"type": name} | around(path, value, schema, schema)) for value in values]
    return made


def places(schema: dict[str, Any], document: dict[str, Any], path: Path = ()) -> Iterator[Path]:
    """Every field of a body of this schema; of a list, its first entry."""
    if len(path) > 8:
        return
    for branch in _branches(schema, document):
        for name, inner in branch.get("properties", {}).items():
            yield (*path, name)
            yield from places(inner, document, (*path, name))
        if isinstance(branch.get("items"), dict):
            yield (*path, 0)
            yield from places(branch["items"], document, (*path, 0))
        if isinstance(branch.get("additionalProperties"), dict):
            yield (*path, "key")


def around(path: Path, value: Any, schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A body that is valid but for `value` at `path`."""
    if not path:
        return value
    name, rest = path[0], path[1:]
    for branch in _branches(schema, document):
        if name == 0 and "items" in branch:
            return [around(rest, value, branch["items"], document)]
        inner = branch.get("properties", {}).get(name) or branch.get("additionalProperties")
        if isinstance(inner, dict) and (not rest or any(True for _ in _reaching(inner, rest, document))):
            return smallest(branch, document) | {name: around(rest, value, inner, document)}
    raise KeyError(path)


def smallest(schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """A valid value with no more than it needs."""
    branch = next(_branches(schema, document))
    for given in ("const", "default"):
        if given in branch:
            return branch[given]
    if "enum" in branch:
        return branch["enum"][0]
    kind = branch.get("type")
    if kind == "object":
        needed = {*branch.get("required", []), *(["type"] if "type" in branch.get("properties", {}) else [])}
        return {name: smallest(branch["properties"][name], document) for name in sorted(needed)}
    if kind == "array":
        return [smallest(branch["items"], document)] * branch.get("minItems", 0)
    return {"integer": branch.get("minimum", 0), "number": 0, "boolean": False, "null": None}.get(kind or "null", "item_x")


def _reaching(schema: dict[str, Any], path: Path, document: dict[str, Any]) -> Iterator[Path]:
    return (found for found in places(schema, document) if found == path)


def _branches(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema without references and choices: each way it can be."""
    if "$ref" in schema:
        target: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _branches(target, document)
        return
    choices = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
    for choice in choices:
        yield from _branches(choice, document)
    if not choices:
        yield schema
