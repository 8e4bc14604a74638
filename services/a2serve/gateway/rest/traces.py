"""POST /v1/traces: spans of pages, checked, stamped with their sender, and forwarded to the OTLP receiver that gets our own."""

import httpx
import orjson
from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from a2serve.contracts.json_input import read_json
from a2serve.contracts.page_spans import PageExport
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.rest.dependencies import Caller, Parts, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.telemetry import names

router = APIRouter(tags=["operation"], route_class=GuardedRoute)
KIND = "application/json"
LARGEST_BYTES = 64 << 10
TIMEOUT_S = 3.0
_BODY = {"requestBody": {"required": True, "content": {KIND: {"schema": {"type": "object"}}}}}


@router.post(
    "/traces",
    summary="Send spans of a page",
    openapi_extra=_BODY,
    status_code=200,
    responses=problems(Code.INVALID_JSON, Code.INVALID_EVENT, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA, Code.STATE_UNAVAILABLE),
)
async def forward_traces(request: Request, parts: Parts, caller: Caller) -> Response:
    """OTLP/JSON with the spans that the library makes. A client secret may send too; whose spans they are is said by the server,
    whatever the body says. Without a receiver they are dropped.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != KIND:
        raise Problem(Code.UNSUPPORTED_MEDIA, f"send {KIND}")
    body = await request.body()
    if len(body) > LARGEST_BYTES:
        raise Problem(Code.BODY_TOO_LARGE, f"at most {LARGEST_BYTES} bytes of spans at once")
    export = _read(body)
    if parts.settings.otlp_endpoint:
        await _forward(parts, orjson.dumps(export.stamped(await _facts(parts, caller))))
    return Response(b"{}", media_type=KIND)


def _read(body: bytes) -> PageExport:
    """Reads a page's spans. Raises Problem (400)."""
    try:
        return PageExport.model_validate(read_json(body))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(map(str, first["loc"]))
        raise Problem(Code.INVALID_EVENT, f"not spans that we know: {path}: {first['msg']}", param=path or None) from None


async def _facts(parts: GatewayParts, caller: Principal) -> dict[str, str]:
    """Tenant, and the session where the client secret has one open."""
    facts = {names.ATTR_TENANT: caller.tenant}
    sessions = await parts.limits.sessions_of_grant(caller.tenant, caller.grant.id) if caller.grant else []
    return facts | ({names.ATTR_SESSION_ID: sessions[0]} if len(sessions) == 1 else {})


async def _forward(parts: GatewayParts, body: bytes) -> None:
    try:
        url = f"{parts.settings.otlp_endpoint.rstrip('/')}/v1/traces"
        response = await parts.http.post(url, content=body, headers={"content-type": KIND}, timeout=TIMEOUT_S)
        response.raise_for_status()
    except httpx.HTTPError:
        raise Problem(Code.STATE_UNAVAILABLE, "the receiver of traces does not take them now", retry_after_ms=5000) from None
