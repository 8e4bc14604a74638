"""The OpenAPI document: what FastAPI makes of the routes, with errors as what they are, `application/problem+json`."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from a2serve.gateway.rest.problem_responses import MEDIA_TYPE

DESCRIPTION = """
Conversational avatars: one fused model answers with text, voice and 3D face motion on one clock.

**Talk over a socket:** `GET /v1/realtime` (WebSocket) speaks the OpenAI Realtime protocol, so that its clients work unchanged.
Motion is opt-in: `session.update` with `session.a2.motion`.

**Talk over REST:** create a session, then post turns: text or audio in; events, or one JSON with text, audio and motion, out.

**Keys:** `Authorization: Bearer a2_...`. Keys belong on servers; pages get a client secret from
`POST /v1/realtime/client_secrets`.

**Errors** are RFC 9457 problems; compare `code`. Every answer has `x-request-id`; quote it when you ask us.
""".strip()

TAGS: list[dict[str, Any]] = [
    {"name": "sessions", "description": "Conversations that live on the server, and turns in them."},
    {"name": "realtime", "description": "Credentials for pages. The socket itself: `GET /v1/realtime`."},
    {"name": "catalog", "description": "Avatars and personas to choose from."},
    {"name": "usage", "description": "What was used, for billing."},
    {"name": "operation", "description": "Health and metrics, for operators."},
]


def install(app: FastAPI) -> None:
    """`app.openapi()` gives the document, made once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags)
            app.openapi_schema = _with_problems(made)
        return app.openapi_schema

    app.openapi = document


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                answer.setdefault("headers", {})["x-request-id"] = {"schema": {"type": "string"}, "description": "id of this request"}
                if status >= "400" and "application/json" in answer.get("content", {}) and _is_problem(answer):
                    answer["content"] = {MEDIA_TYPE: answer["content"]["application/json"]}
    return document


def _is_problem(answer: dict[str, Any]) -> bool:
    return str(answer["content"]["application/json"].get("schema", {}).get("$ref", "")).endswith("/ProblemBody")
