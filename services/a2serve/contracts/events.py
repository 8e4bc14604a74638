"""Reads and writes the events of the JSON wire, in both directions.

event = parse_client_event(frame)          # Problem when it cannot be right
text = write_event(ErrorEvent(...))
"""

from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json

from a2serve.contracts import a2_events, client_events, server_events
from a2serve.contracts.client_events import ClientEvent
from a2serve.contracts.json_input import check_json, parse_json
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import ServerEventBase

CLIENT_EVENTS: dict[str, type[client_events.ClientEventBase]] = {
    kind.model_fields["type"].default: kind for kind in get_args(get_args(ClientEvent)[0])
}
SERVER_EVENTS: dict[str, type[ServerEventBase]] = {
    kind.model_fields["type"].default: kind
    for module in (server_events, a2_events)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, ServerEventBase) and "type" in kind.model_fields
}

_adapters = {name: TypeAdapter(kind) for name, kind in CLIENT_EVENTS.items()}


def parse_client_event(frame: str | bytes) -> client_events.ClientEventBase:
    """One text frame as a client event. Raises Problem (invalid_json, invalid_event, unknown_parameter, invalid_value).

    The problem carries the frame's own `event_id`, where it has a readable one.
    """
    body = _json_object(frame)
    name, event_id = body.get("type"), _readable_id(body.get("event_id"))
    try:
        check_json(body)
    except Problem as problem:
        problem.event_id = event_id
        raise
    adapter = _adapters.get(name) if isinstance(name, str) else None
    if adapter is None:
        raise Problem(Code.INVALID_EVENT, f"unknown event type {str(name)[:80]!r}", param="type", event_id=event_id)
    try:
        return adapter.validate_python(_without_odd_id(body))
    except ValidationError as error:
        raise _problem(error.errors(include_url=False)[0], event_id) from None


def write_event(event: ServerEventBase) -> str:
    """The event as one line of JSON."""
    return event.model_dump_json()


def name_of(event: ServerEventBase) -> str:
    """The event's `type` on the wire."""
    return type(event).model_fields["type"].default


def read_server_event(text: str | bytes) -> ServerEventBase:
    """For clients and tests: a server event back from its JSON. Raises KeyError for an unknown type."""
    body = from_json(text)
    return SERVER_EVENTS[body["type"]].model_validate(body)


def _json_object(frame: str | bytes) -> dict[str, Any]:
    body = parse_json(frame)
    if not isinstance(body, dict):
        raise Problem(Code.INVALID_EVENT, "an event is a JSON object")
    return body  # pyright: ignore[reportUnknownVariableType]


def _readable_id(value: Any) -> str | None:
    return value[:512] if isinstance(value, str) else None


def _without_odd_id(body: dict[str, Any]) -> dict[str, Any]:
    return body if isinstance(body.get("event_id"), str) else {key: item for key, item in body.items() if key != "event_id"}


_CODES = {
    "conflicting_values": Code.CONFLICTING,
    "invalid_base64": Code.INVALID_AUDIO,
    "extra_forbidden": Code.UNKNOWN_PARAMETER,
    "missing": Code.MISSING_PARAMETER,
}


def _problem(error: ErrorDetails, event_id: str | None) -> Problem:
    # Tags of unions stand in pydantic's path but not in the client's JSON; they hold a dot, a slash or an underscore type name.
    path = ".".join(str(part) for part in error["loc"] if str(part) not in _TAGS)
    return Problem(_CODES.get(error["type"], Code.INVALID_VALUE), f"{path}: {error['msg']}", param=path or None, event_id=event_id)


_TAGS = {
    "audio/pcm",
    "audio/pcmu",
    "audio/pcma",
    "server_vad",
    "semantic_vad",
    "message",
    "function_call",
    "function_call_output",
    "item_reference",
    "constrained-int",
    "NamedFunction",
    "str",
}
