"""POST /v1/realtime/client_secrets, with the shapes of the GA Realtime API, and the local page's own way to one."""

import ipaddress
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, StringConstraints

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.client_secrets import DEFAULT_S, GRANT_ID, MAX_S, MIN_S, Grant, letters_of, new_letters, secret_of
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.response.settings import check_choices, check_tools, chooses
from a2serve.gateway.rest.dependencies import ApiCaller, IdempotencyKey, Parts, audit, bearer_of, once, problems
from a2serve.gateway.rest.guarded import GuardedRoute
from a2serve.gateway.rest.sessions import EndUserId
from a2serve.gateway.state.idempotency import REPLAYED

router = APIRouter(prefix="/realtime", tags=["realtime"], route_class=GuardedRoute)
LOCAL_GRANT, LOCAL_SESSIONS = "local", 1000  # a page gets a secret for each socket, and goes on with its session
local_router = APIRouter(include_in_schema=False)
Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$", max_length=255)]


SecretId = Annotated[str, Path(pattern=GRANT_ID, description="`id` of the answer that minted it")]


class ExpiresAfter(BaseModel):
    """Time until a secret expires, from now."""

    model_config = ConfigDict(extra="forbid", strict=True)

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=DEFAULT_S, ge=MIN_S, le=MAX_S)


class SecretExtension(BaseModel):
    """Our extension: further bounds of the secret."""

    model_config = ConfigDict(extra="forbid", strict=True)

    origin: Origin | None = Field(default=None, description="only pages of this origin may use it", examples=["https://shop.example"])
    end_user_id: EndUserId = ""
    max_sessions: int = Field(default=1, ge=1, le=1000, description="how many sessions it may have open at once")
    single_use: bool = Field(default=False, description="opens one session; what it can do then is to resume that one")


class SecretCreate(BaseModel):
    """Every setting that is named in `session` is fixed: the page cannot change it (fewer output tokens are allowed). A persona
    that is named fixes the instructions too. The secret opens new sessions and resumes its own, and those of its `end_user_id`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    expires_after: ExpiresAfter = ExpiresAfter()
    session: SessionConfig = SessionConfig()
    a2: SecretExtension = SecretExtension()


class SecretBody(BaseModel):
    """The secret is shown here and never again."""

    id: str = Field(description="opens nothing; to revoke the secret with")
    value: str
    expires_at: int = Field(description="seconds since 1970; a session that was opened before goes on")
    session: dict[str, Any] = Field(description="the settings that sessions begin with")


@router.post(
    "/client_secrets",
    summary="Mint a client secret",
    response_model=SecretBody,
    responses=problems(Code.INVALID_JSON, Code.CONFLICT, Code.BODY_TOO_LARGE, Code.UNSUPPORTED_MEDIA, Code.PERSONA_UNKNOWN),
)
async def create_client_secret(
    request: Request, body: SecretCreate, parts: Parts, caller: ApiCaller, key: IdempotencyKey = None
) -> Response:
    """For a page: a short-lived credential for the socket, so that your API key stays on your server.

    It is sent as the WebSocket subprotocol `a2-client-secret.<value>`. A repeat without an Idempotency-Key mints another one.
    """
    api_key = bearer_of(request)
    response = await once(parts, caller, request, key, lambda: _create(parts, caller, body, api_key), asked_by=caller.key_id)
    whole = orjson.loads(bytes(response.body))
    whole["value"] = secret_of(caller.tenant, letters_of(api_key, whole["value"]))
    replayed = {REPLAYED: response.headers[REPLAYED]} if REPLAYED in response.headers else {}
    return JSONResponse(whole, response.status_code, replayed)


async def _create(parts: GatewayParts, caller: Principal, body: SecretCreate, api_key: str) -> Response:
    """Creates a secret. Its response holds the secret's salt in place of the secret, so that it may be kept for a repeat."""
    check_tools(body.session.tools, body.session.tool_choice)
    if chooses(body.session):
        check_choices(body.session, await parts.inference.describe())
    seconds, own = body.expires_after.seconds, body.a2
    salt = new_letters()
    _, grant = await parts.secrets.mint(
        caller.tenant,
        caller.key_id,
        body.session,
        seconds=seconds,
        origin=own.origin,
        end_user_id=own.end_user_id,
        max_sessions=own.max_sessions,
        single_use=own.single_use,
        letters=letters_of(api_key, salt),
    )
    await parts.outbox.write(audit(caller, "client_secret.create", caller.key_id, origin=own.origin or ""))
    return JSONResponse(_body(salt, grant).model_dump(mode="json"))


@router.delete("/client_secrets/{secret_id}", status_code=204, summary="Revoke a client secret", responses=problems(Code.NOT_FOUND))
async def revoke_client_secret(secret_id: SecretId, parts: Parts, caller: ApiCaller) -> None:
    """It opens nothing any more, and its sockets are closed within seconds (1008 `revoked`), on whatever replica."""
    if not await parts.secrets.revoke(caller.tenant, secret_id):
        raise Problem(Code.NOT_FOUND, f"no client secret {secret_id!r} that lives or has a socket")
    await parts.outbox.write(audit(caller, "client_secret.revoke", secret_id))


@local_router.get("/local/session")
async def local_session(request: Request, response: Response, parts: Parts) -> SecretBody:
    """A client secret for the page that this gateway serves itself, on this machine, in the local profile."""
    origin = _own_loopback_origin(request, parts.settings.local_networks)
    value, grant = await parts.secrets.mint(
        parts.settings.local_tenant, "", SessionConfig(), seconds=MAX_S, origin=origin, grant_id=LOCAL_GRANT, max_sessions=LOCAL_SESSIONS
    )
    response.headers["cache-control"] = "no-store"
    return _body(value, grant)


def _body(value: str, grant: Grant) -> SecretBody:
    session = grant.session.model_dump(mode="json") | {"object": "realtime.session", "id": "", "expires_at": grant.expires_at}
    return SecretBody(id=grant.id, value=value, expires_at=grant.expires_at, session=session)


def _own_loopback_origin(request: Request, local_networks: Sequence[IPvAnyNetwork]) -> str:
    """Raises Problem(forbidden) unless the page is ours and on this machine; in a container, its browser comes from `local_networks`.

    The Host is checked too: a foreign name that was made to point here (DNS rebinding) is not ours.
    """
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    own = f"{request.url.scheme}://{request.headers.get('host', '')}"
    peer = request.client.host if request.client else ""
    foreign = request.headers.get("origin", own) != own or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
    if foreign or not _is_loopback(host) or not _is_near(peer, local_networks):
        raise Problem(Code.FORBIDDEN, "only the page of this machine gets a client secret without a key")
    return own


def _is_loopback(host: str) -> bool:
    return host == "localhost" or _is_near(host, ())


def _is_near(address: str, local_networks: Sequence[IPvAnyNetwork]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_loopback or any(found in network for network in local_networks)
