"""A client's JSON Schema -> a narrower one of bounded size: whatever the narrow one accepts, the client's accepts too.

References are put in place, objects closed, strings, lists and numbers given limits. Not a validator of values. How many parts a schema
may have is bounded too, references put in place: they can make much of little.
Keywords: JSON Schema draft 2020-12, those that a grammar can keep to; every other one is refused by name.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]
STRING_CHARS = 200
LIST_ITEMS = 8
NUMBER_REACH = 10**9
MOST_PARTS = 1000  # schemas and values of enums; compiling them takes 0.1 s
MOST_APART = 100  # schemas of a oneOf: each is compared with each
NUMBER_STEP = 1e-6  # six decimals: without it a grammar lets a number go on for ever
FORMATS = ("date-time", "date", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")

_NOTES = {
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "nullable",
    "strict",
    "discriminator",
    "contentEncoding",
    "contentMediaType",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
}
_OWN: dict[str, set[str]] = {  # which keywords speak about which type
    "string": {"minLength", "maxLength", "pattern", "format"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "array": {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"},
    "object": {"properties", "required", "additionalProperties"},
    "boolean": set(),
    "null": set(),
}
_ANYTHING = ["string", "number", "boolean", "null"]


@dataclass
class Size:
    """How many parts a schema has had so far."""

    parts: int = 0

    def add(self, parts: int) -> None:
        """Counts more parts. Raises ValueError if the schema has too many."""
        self.parts += parts
        if self.parts > MOST_PARTS:
            raise ValueError(f"the schema has more than {MOST_PARTS} parts (schemas and values of enums, references put in place)")


def bounded(schema: Any, root: Mapping[str, Any], path: str = "", within: tuple[str, ...] = (), size: Size | None = None) -> Any:
    """The narrower schema. `root` resolves references, `within` are those being resolved, `size` is of the whole.

    Raises ValueError that names the place and what it cannot keep to.
    """
    size = size or Size()
    size.add(1)
    if isinstance(schema, bool):
        return bounded({}, root, path, within, size) if schema else False
    if not isinstance(schema, Mapping):
        raise ValueError(f"{path or 'the schema'} must be an object, not {type(schema).__name__}")
    plain = {key: value for key, value in schema.items() if key not in _NOTES}

    def inner(part: Any, name: str) -> Any:
        return bounded(part, root, f"{path}.{name}".lstrip("."), within, size)

    if "$ref" in plain or "allOf" in plain:
        return _merged(plain, root, path, within, size)
    if "anyOf" in plain or "oneOf" in plain:
        return {"anyOf": _choices(plain, path, inner)}
    if "enum" in plain or "const" in plain:
        size.add(len(plain["enum"]) if isinstance(plain.get("enum"), list) else 0)
        return _fixed(plain, path)
    return _typed(plain, path, inner)


def _merged(plain: Schema, root: Mapping[str, Any], path: str, within: tuple[str, ...], size: Size) -> Any:
    """One schema by reference, or the only one of an allOf, with what stands beside it."""
    beside = {key: value for key, value in plain.items() if key not in ("$ref", "allOf")}
    parts = plain.get("allOf", [])
    if "$ref" in plain:
        reference = plain["$ref"]
        if reference in within:
            raise ValueError(f"{path or 'the schema'} contains itself through {reference}: recursive schemas are not supported")
        within, parts = (*within, reference), [*parts, _resolve(reference, root, path)]
    if len(parts) != 1 or (beside and not isinstance(parts[0], Mapping)) or set(beside) & set(parts[0] if beside else ()):
        raise ValueError(f"{path or 'the schema'}: several schemas at once ($ref or allOf with others) are not supported")
    return bounded({**parts[0], **beside} if beside else parts[0], root, path, within, size)


def _resolve(reference: Any, root: Mapping[str, Any], path: str) -> Any:
    found: Any = root
    steps = str(reference).removeprefix("#").strip("/").split("/")
    if not str(reference).startswith("#/"):
        raise ValueError(f"{path or 'the schema'}: only references within the schema are supported, not {reference!r}")
    for step in steps:
        step = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or step not in found:
            raise ValueError(f"{path or 'the schema'}: nothing stands at {reference!r}")
        found = found[step]
    return found


def _choices(plain: Schema, path: str, inner: Callable[[Any, str], Any]) -> list[Any]:
    kind = "anyOf" if "anyOf" in plain else "oneOf"
    if len(plain) > 1:
        raise ValueError(f"{path or 'the schema'}: {kind} beside other keywords is not supported")
    members = [inner(member, kind) for member in plain[kind]]
    if kind == "oneOf" and len(members) > MOST_APART:
        raise ValueError(f"{path or 'the schema'}: oneOf may have {MOST_APART} schemas; use anyOf")
    if kind == "oneOf" and not all(_apart(one, two) for i, one in enumerate(members) for two in members[:i]):
        raise ValueError(f"{path or 'the schema'}: more than one of oneOf could hold at once; use anyOf")
    return members


def _apart(one: Any, two: Any) -> bool:
    """No value can satisfy both: other types, or a required property with other constants."""
    if not isinstance(one, dict) or not isinstance(two, dict) or "anyOf" in one or "anyOf" in two:
        return False
    if "type" not in one or "type" not in two:
        return False
    types = [{"number" if t == "integer" else t for t in _types(part)} for part in (one, two)]
    if not types[0] & types[1]:
        return True
    both = [set(part.get("required", ())) for part in (one, two)]
    values = [[_constants(part["properties"][name]) for part in (one, two)] for name in both[0] & both[1]]
    return any(a and b and not any(x in b for x in a) for a, b in values)


def _constants(schema: Any) -> list[Any]:
    if not isinstance(schema, dict):
        return []
    return [schema["const"]] if "const" in schema else schema.get("enum", [])


def _types(plain: Mapping[str, Any]) -> list[str]:
    kind = plain["type"]
    return kind if isinstance(kind, list) else [kind]


def _fixed(plain: Schema, path: str) -> Schema:
    """Constants stay as they are."""
    _refuse(plain, {"enum", "const", "type"}, path)
    if not isinstance(plain.get("enum", []), list):
        raise ValueError(f"{path or 'the schema'}: enum must be a list")
    _check_text(plain, path)
    return plain


def _check_text(part: Any, path: str) -> None:
    """Characters that JSON text cannot hold without an escape by number; the decoder does not write those."""
    text = json.dumps(part, ensure_ascii=False)
    if re.search("\\\\[ubfr]|[\ud800-\udfff\x7f]", text.replace("\\\\", "")):
        raise ValueError(f"{path or 'the schema'}: control characters in names and constants are not supported")


def _refuse(plain: Mapping[str, Any], known: set[str], path: str) -> None:
    other = sorted(set(plain) - known)
    if other:
        raise ValueError(f"{path or 'the schema'}: the keyword {other[0]!r} is not supported here")


def _typed(plain: Schema, path: str, inner: Callable[[Any, str], Any]) -> Schema:
    types = _types(plain) if "type" in plain else _guess(plain)
    unknown = [t for t in types if t != "integer" and t not in _OWN]
    if unknown or not types:
        raise ValueError(f"{path or 'the schema'}: there is no type {unknown[:1]}")
    families = {"number" if t == "integer" else t for t in types}
    _refuse(plain, {"type"}.union(*_OWN.values()), path)
    out: Schema = {"type": types}
    for family in families:
        own = {key: plain[key] for key in _OWN[family] if key in plain}
        out |= _LIMITS[family](own, path, inner)
    if "number" not in types and out.get("multipleOf") == NUMBER_STEP:
        del out["multipleOf"]  # whole numbers have no decimals
    return out


def _guess(plain: Mapping[str, Any]) -> list[str]:
    """A schema without a type is narrowed to the one that its keywords speak about, or to any plain value."""
    return [kind for kind, own in _OWN.items() if own & set(plain)][:1] or _ANYTHING


def _string(own: Schema, path: str, inner: Callable[[Any, str], Any]) -> Schema:
    if own.get("format") not in FORMATS:
        own.pop("format", None)  # an annotation, by the standard
    most = max(STRING_CHARS, own.get("minLength", 0))
    return own | {"maxLength": min(own.get("maxLength", most), most)}


def _number(own: Schema, path: str, inner: Callable[[Any, str], Any]) -> Schema:
    step = own.setdefault("multipleOf", NUMBER_STEP)
    if step != NUMBER_STEP and (step != int(step) or step <= 0):
        raise ValueError(f"{path}: multipleOf must be a whole number")
    low, high = own.get("minimum", own.get("exclusiveMinimum")), own.get("maximum", own.get("exclusiveMaximum"))
    if low is None:
        own["minimum"] = min(-NUMBER_REACH, int(high or 0) - NUMBER_REACH)
    if high is None:
        own["maximum"] = max(NUMBER_REACH, int(low or 0) + NUMBER_REACH)
    return own


def _array(own: Schema, path: str, inner: Callable[[Any, str], Any]) -> Schema:
    least = own.get("minItems", 0)
    most = max(LIST_ITEMS, least)
    most = min(own.get("maxItems", most), most)
    if own.pop("uniqueItems", False):
        if least > 1:
            raise ValueError(f"{path}: uniqueItems with minItems above 1 is not supported")
        most = min(most, 1)  # one item never repeats
    firsts = [inner(part, f"prefixItems[{place}]") for place, part in enumerate(own.get("prefixItems", []))]
    parts = {"prefixItems": firsts} if firsts else {}
    return {"minItems": least, "maxItems": most, "items": inner(own.get("items", True), "items"), **parts}


def _object(own: Schema, path: str, inner: Callable[[Any, str], Any]) -> Schema:
    properties, required, other = dict(own.get("properties", {})), own.get("required", []), own.get("additionalProperties", True)
    for name in required:
        if name not in properties and other is False:
            raise ValueError(f"{path or 'the schema'} requires {name!r}, which it does not allow")
        properties.setdefault(name, other)
    _check_text(list(properties), path)
    parts = {name: inner(part, name) for name, part in properties.items()}
    return {"properties": parts, "required": list(required), "additionalProperties": False}


def _nothing(own: Schema, path: str, inner: Callable[[Any, str], Any]) -> Schema:
    return {}


_LIMITS = {"string": _string, "number": _number, "array": _array, "object": _object, "boolean": _nothing, "null": _nothing}
