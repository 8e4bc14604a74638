"""POST /v1/traces: spans of pages, forwarded to the OTLP receiver that gets our own."""

import httpx
from fastapi import APIRouter, Request
from starlette.responses import Response

from a2serve.contracts.json_input import read_json
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.rest.dependencies import Caller, Parts, problems
from a2serve.gateway.rest.guarded import GuardedRoute

router = APIRouter(tags=["operation"], route_class=GuardedRoute)
KINDS = ("application/json", "application/x-protobuf")
LARGEST_BYTES = 256 << 10
TIMEOUT_S = 3.0
_BODY = {"requestBody": {"required": True, "content": {kind: {"schema": {"type": "object"}} for kind in KINDS[:1]}}}


@router.post(
    "/traces", summary="Send spans of a page", openapi_extra=_BODY, status_code=200,
    responses=problems(Code.INVALID_JSON, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA, Code.UNAVAILABLE),
)  # fmt: skip
async def forward_traces(request: Request, parts: Parts, caller: Caller) -> Response:
    """OTLP over HTTP, JSON or protobuf. A client secret may send too. Without a receiver they are dropped."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise Problem(Code.UNSUPPORTED_MEDIA, f"send {' or '.join(KINDS)}")
    body = await request.body()
    if kind == KINDS[0] and not isinstance(read_json(body), dict):
        raise Problem(Code.INVALID_VALUE, "spans are a JSON object")
    if len(body) > LARGEST_BYTES:
        raise Problem(Code.BODY_TOO_LARGE, f"at most {LARGEST_BYTES} bytes of spans at once")
    if not parts.settings.otlp_endpoint:
        return Response(b"{}", media_type="application/json")
    return await _forward(parts, kind, body)


async def _forward(parts: Parts, kind: str, body: bytes) -> Response:
    try:
        url = f"{parts.settings.otlp_endpoint.rstrip('/')}/v1/traces"
        answer = await parts.http.post(url, content=body, headers={"content-type": kind}, timeout=TIMEOUT_S)
    except httpx.HTTPError:
        raise Problem(Code.STATE_UNAVAILABLE, "the receiver of traces cannot be reached", retry_after_ms=5000) from None
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type", "application/json"))
