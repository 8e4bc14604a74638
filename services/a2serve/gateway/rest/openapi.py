"""The OpenAPI document: what FastAPI makes of the routes, with errors as what they are, and what its schemas leave out."""

from collections.abc import Iterator
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from a2serve.contracts.events import SERVER_EVENTS
from a2serve.contracts.wire import Mergeable
from a2serve.gateway.edge.problem_responses import MEDIA_TYPE
from a2serve.gateway.rest.examples import EXAMPLES

DESCRIPTION = """
Conversational avatars: one fused model answers with text, voice and 3D face motion on one clock.

**Talk over a socket:** `GET /v1/realtime` (WebSocket) speaks the OpenAI Realtime protocol, so that its clients work unchanged.
Motion is opt-in: `session.update` with `session.a2.motion`.

**Talk over REST:** create a session, then post turns: text or audio in; events, or one JSON with text, audio and motion, out.

**Keys:** `Authorization: Bearer a2_...`. Keys belong on servers; pages get a client secret from
`POST /v1/realtime/client_secrets`.

**Errors** are RFC 9457 problems; compare `code`. Every answer has `x-request-id`; quote it when you ask us.
A 422 with `invalid_value` breaks a schema of this document. Its other codes are conditions that no schema can state:
`conflicting_values` (a `tool_choice` without its tool, two tools of one name, text and audio in one turn, `start` behind `end`),
`unsupported`, `persona_unknown` and `rig_unavailable` (what this server or model does not have), `invalid_audio`,
`invalid_tool_call_id`, and `not_storable` (NUL or half a character in a text, integers beyond 64 bits, more than 64 levels or
200,000 values). `POST /v1/traces` takes the four spans of our library alone and refuses others with 400 `invalid_event`.
""".strip()

TAGS: list[dict[str, Any]] = [
    {"name": "sessions", "description": "Conversations that live on the server, and turns in them."},
    {"name": "realtime", "description": "Credentials for pages. The socket itself: `GET /v1/realtime`."},
    {"name": "catalog", "description": "Avatars and personas to choose from."},
    {"name": "usage", "description": "What was used, for billing."},
    {"name": "operation", "description": "Health and metrics, for operators."},
]
SERVERS = [{"url": "/", "description": "the gateway that gave you this document"}]
EVENT = "event."  # before the names of the socket's events among the schemas


def install(app: FastAPI) -> None:
    """`app.openapi()` gives the document, made once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _finished(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags)
            )
        return app.openapi_schema

    app.openapi = document


def _finished(document: dict[str, Any]) -> dict[str, Any]:
    document["servers"] = SERVERS
    schemas: dict[str, Any] = document["components"]["schemas"]
    for operation in (operation for operations in document["paths"].values() for operation in operations.values()):
        for status, response in operation["responses"].items():
            response.setdefault("headers", {})["x-request-id"] = {"schema": {"type": "string"}, "description": "id of this request"}
            content = response.get("content", {})
            if status >= "400" and "application/json" in content and _is_problem(content):
                response["content"] = {MEDIA_TYPE: content["application/json"]}
            if "text/event-stream" in content:
                content["text/event-stream"] = {"schema": _event_of_stream(schemas)}
    _state_what_null_means(schemas)
    _require_tags(document)
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    return document


def _is_problem(content: dict[str, Any]) -> bool:
    return str(content["application/json"].get("schema", {}).get("$ref", "")).endswith("/ProblemBody")


def _event_of_stream(schemas: dict[str, Any]) -> dict[str, Any]:
    """One event of a stream; adds the schemas of the socket's events."""
    kinds = list(SERVER_EVENTS.values())
    _, made = models_json_schema([(kind, "serialization") for kind in kinds], ref_template=f"#/components/schemas/{EVENT}{{model}}")
    schemas |= {f"{EVENT}{name}": body for name, body in made["$defs"].items()}
    data = {"oneOf": [{"$ref": f"#/components/schemas/{EVENT}{kind.__name__}"} for kind in kinds]}
    return {
        "type": "object",
        "description": "One event of the stream: the same that the socket sends",
        "required": ["event", "data"],
        "properties": {
            "event": {"type": "string", "enum": sorted(SERVER_EVENTS), "description": "the `type` of `data`"},
            "data": {"type": "string", "contentMediaType": "application/json", "contentSchema": data},
        },
    }


def _state_what_null_means(schemas: dict[str, Any]) -> None:
    """In a group of settings a null leaves a setting as it is."""
    for kind in _all_below(Mergeable):
        for name in (kind.__name__, f"{kind.__name__}-Input"):
            for field, schema in schemas.get(name, {}).get("properties", {}).items():
                if {"type": "null"} not in schema.get("anyOf", []) and schema.keys() - {"title", "default"}:
                    kept = {key: schema.pop(key) for key in [*schema] if key not in ("title", "default", "description")}
                    schemas[name]["properties"][field] = schema | {"anyOf": [kept, {"type": "null"}]}


def _require_tags(document: dict[str, Any]) -> None:
    """Requires the field that a choice is decided by: a default does not count."""
    for choice in _choices(document):
        tag = choice["discriminator"]["propertyName"]
        for target in choice["discriminator"]["mapping"].values():
            schema = document["components"]["schemas"][target.rsplit("/", 1)[1]]
            if tag not in schema.setdefault("required", []):
                schema["required"].insert(0, tag)


def _choices(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        named = cast("dict[str, Any]", part)
        if "mapping" in named.get("discriminator", ()):
            yield named
        for inner in named.values():
            yield from _choices(inner)
    elif isinstance(part, list):
        for inner in cast("list[Any]", part):
            yield from _choices(inner)


def _all_below(kind: type[Mergeable]) -> Iterator[type[Mergeable]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all_below(below)
