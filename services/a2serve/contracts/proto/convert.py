"""Messages to protobuf and back, by the names of their fields: `to_wire(message)` and `from_wire(Packet, received)`.

A new field of a message type needs its field in avatar.proto and nothing here. A dataclass without a field of its own on the wire
travels in line (`options`); an enumeration is its value's name in lower case; None is left out; what is zero or empty on the wire, and
a value that only a newer peer knows, read as the message's default; a dict is a list of pairs; the role of an item tells its type.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, cast, get_type_hints

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from a2llm import messages
from a2llm.messages import AssistantTurn, FunctionCall, ResponseOptions, SystemText, Tool, ToolResult, UserTurn, parse_tools, write_tools
from a2serve.contracts.proto import avatar_pb2 as pb

M = TypeVar("M")
Convert = Callable[[Any], Any]
ITEMS: dict[str, type[Any]] = {"SYSTEM": SystemText, "USER": UserTurn, "ASSISTANT": AssistantTurn, "CALL": FunctionCall, "TOOL": ToolResult}
_ROLES = {kind: pb.Item.Role.Value(role) for role, kind in ITEMS.items()}
_ITEM: Any = pb.Item.DESCRIPTOR
NAMES = {"ResponseRequest": "RespondRequest", "ListenResult": "ListenResponse"}  # of messages that are called otherwise on the wire
_HERE = {wire: here for here, wire in NAMES.items()}


class _Way(NamedTuple):
    """How one field travels. `write`: its value to what protobuf takes, None: as it is. `read`: of the received message, its value."""

    name: str
    wire: str  # "": in line
    write: Convert | None
    read: Convert


def to_wire(message: object) -> Any:
    """The protobuf message."""
    name = type(message).__name__
    return _write(message, getattr(pb, NAMES.get(name, name)).DESCRIPTOR)


def from_wire(kind: type[M], received: Any) -> M:
    """The message. Raises ValueError for one that cannot be right."""
    return kind(**{way.name: way.read(received) for way in ways(kind, received.DESCRIPTOR)})


def _write(message: Any, wire: Descriptor) -> Any:
    return GetMessageClass(wire)(**_arguments(message, wire))


def _arguments(message: Any, wire: Descriptor) -> dict[str, Any]:
    kind = cast("type[Any]", type(message))
    made: dict[str, Any] = {"role": _ROLES[kind]} if wire is _ITEM else {}
    for way in ways(kind, wire):
        value = getattr(message, way.name)
        if not way.wire:
            made |= _arguments(value, wire)
        else:
            made[way.wire] = way.write(value) if way.write and value is not None else value
    return made


@cache
def ways(kind: type[Any], wire: Descriptor) -> tuple[_Way, ...]:
    """How every field travels. Raises TypeError for one that would be lost."""
    hints = get_type_hints(kind)
    return tuple(_way(kind, own, hints[own.name], wire) for own in fields(kind))


def _way(kind: type[Any], own: "Field[Any]", hint: Any, wire: Descriptor) -> _Way:
    if kind is ResponseOptions and own.name == "tools":
        return _Way("tools", "tools_json", write_tools, _read_tools)
    name = "text" if wire is _ITEM and own.name == "arguments" else own.name
    if name in wire.fields_by_name:
        default = own.default if own.default_factory is MISSING else own.default_factory()  # MISSING: it has to be there
        return _Way(own.name, name, *_conversion(wire.fields_by_name[name], default))
    if is_dataclass(hint):
        return _Way(own.name, "", None, partial(from_wire, cast("type[Any]", hint)))
    raise TypeError(f"{kind.__name__}.{own.name} has no field in {wire.full_name}")


def _conversion(wire: FieldDescriptor, default: Any) -> tuple[Convert | None, Convert]:
    name, inner = wire.name, wire.message_type
    if wire.is_repeated:
        return _repeated(wire, isinstance(default, dict))
    if inner:
        read: Convert = partial(from_wire, _kind(inner))
        return partial(_write, wire=inner), lambda received: read(getattr(received, name)) if received.HasField(name) else default
    if wire.enum_type:
        values = {v.number: v.name.lower() for v in wire.enum_type.values if not v.name.endswith("_UNSPECIFIED")}
        return str.upper, lambda received: _known(values, getattr(received, name), default)
    if wire.has_presence:
        return None, lambda received: getattr(received, name) if received.HasField(name) else default
    if default is MISSING or wire.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return None, lambda received: getattr(received, name)
    return None, lambda received: getattr(received, name) or default


def _repeated(wire: FieldDescriptor, pairs: bool) -> tuple[Convert | None, Convert]:
    name, inner = wire.name, wire.message_type
    if not inner:
        return None, lambda received: tuple(getattr(received, name))
    if pairs:
        make, (key, value) = GetMessageClass(inner), (field.name for field in inner.fields)
        return (
            lambda known: [make(**{key: k, value: v}) for k, v in known.items()],
            lambda received: {getattr(pair, key): tuple(getattr(pair, value)) for pair in getattr(received, name)},
        )
    kind_of: Convert = _item if inner is _ITEM else lambda _: _kind(inner)
    write = partial(map, partial(_write, wire=inner))
    return write, lambda received: tuple(from_wire(kind_of(one), one) for one in getattr(received, name))


def _kind(wire: Descriptor) -> type[Any]:
    return getattr(messages, _HERE.get(wire.name, wire.name))


def _item(received: pb.Item) -> type[Any]:
    if (kind := ITEMS.get(pb.Item.Role.Name(received.role))) is None:
        raise ValueError("every item needs a role")
    return kind


def _read_tools(received: pb.RespondRequest) -> tuple[Tool, ...]:
    return parse_tools(received.tools_json)


def _known(values: dict[int, str], number: int, default: Any) -> Any:
    if number not in values and default is MISSING:
        raise ValueError(f"unknown value {number}: there are {', '.join(values.values())}")
    return values.get(number, default)
