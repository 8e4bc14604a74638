"""Dependencies of routes: the gateway's parts, the caller, an Idempotency-Key."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.responses import Response

from a2serve.contracts.problems import MEANINGS, Code
from a2serve.contracts.records import AuditRecord
from a2serve.gateway import request_context
from a2serve.gateway.access.auth import Principal, identify
from a2serve.gateway.edge.problem_responses import MEDIA_TYPE, ProblemBody
from a2serve.gateway.parts import GatewayParts, parts_of


async def _parts(request: Request) -> GatewayParts:
    return parts_of(request)


Parts = Annotated[GatewayParts, Depends(_parts)]
_KEY = "An API key (`a2_...`), or where it says so a client secret (`ek_...`)"
_bearer = HTTPBearer(auto_error=False, scheme_name="key", description=_KEY)


async def admit(request: Request) -> Principal:
    """Authenticates, then counts the request. Before its body is read: see `guarded`."""
    parts = parts_of(request)
    principal = await parts.authenticator.of_request(request.headers.get("authorization"), _origin(request))
    identify(principal)
    await parts.limits.count(principal)
    return principal


async def _caller(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)] = None) -> Principal:
    return request.state.principal


def bearer_of(request: Request) -> str:
    """The credential of a request that was let in."""
    return request.headers["authorization"].partition(" ")[2].strip()


def _origin(request: Request) -> str | None:
    """A page's GET of its own origin carries no Origin; the browser says `same-origin` in a header that pages cannot set."""
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    return request.headers.get("origin") or (own if request.headers.get("sec-fetch-site") == "same-origin" else None)


Caller = Annotated[Principal, Depends(_caller)]


async def _api_caller(principal: Caller) -> Principal:
    principal.require_api_key()
    return principal


ApiCaller = Annotated[Principal, Depends(_api_caller)]
IdempotencyKey = Annotated[
    str | None,
    Header(alias="Idempotency-Key", min_length=1, max_length=255, description="A repeat with the same key and body gets the first answer"),
]


async def once(
    parts: GatewayParts,
    principal: Principal,
    request: Request,
    key: str | None,
    work: Callable[[], Awaitable[Response]],
    *,
    asked_by: str = "",
) -> Response:
    """Returns `work`'s response, or the first one if the Idempotency-Key was seen before. `asked_by`: the caller, who has to be the same,
    too."""
    said = b"\n".join((request.method.encode(), request.url.path.encode(), await request.body())) if key else b""
    said += asked_by.encode()
    return await parts.idempotency.run(principal.tenant, key, said, work, request.path_params.get("session_id", ""))


def audit(principal: Principal, action: str, target: str, **detail: str) -> AuditRecord:
    """Makes a record of an action for the audit trail."""
    actor, request_id = principal.key_id or principal.kind, request_context.current().request_id
    return AuditRecord(tenant=principal.tenant, actor=actor, action=action, target=target, request_id=request_id, detail=detail)


def problems(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """For OpenAPI: the errors a route may answer with, beside those of every route."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in (Code.UNAUTHORIZED, Code.FORBIDDEN, Code.INVALID_VALUE, Code.RATE_LIMITED, Code.STATE_UNAVAILABLE, *codes):
        status = MEANINGS[code].status
        named = found.get(status, {}).get("description", "")
        text = f"{named}, `{code}`" if named else f"`{code}`"
        found[status] = {"model": ProblemBody, "description": text, "content": {MEDIA_TYPE: {}}}
    return found
