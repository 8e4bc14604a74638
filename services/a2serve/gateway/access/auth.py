"""Authenticates the caller: an API key (a tenant's server) or a client secret (a page, for one tenant, config and origin)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway import request_context
from a2serve.gateway.access.client_secrets import ClientSecrets, Grant
from a2serve.gateway.state.saved_session import Owner
from a2serve.gateway.tenants import Limits, TenantFile

SUBPROTOCOLS = ("a2-client-secret.", "openai-insecure-api-key.")  # how a browser's WebSocket carries its secret


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `grant` is set with a client secret: the bounds of its sessions."""

    tenant: str
    key_id: str
    kind: Literal["api_key", "client_secret"]
    limits: Limits
    grant: Grant | None = None

    @property
    def owner(self) -> Owner:
        """Owner of the sessions that the caller makes."""
        return Owner(self.key_id, self.grant.id, self.grant.end_user_id) if self.grant else Owner(self.key_id)

    def may_open(self, owner: Owner) -> bool:
        """Whether a session of its tenant is within its reach: with an API key each is, with a client secret its own and its end user's."""
        return self.grant is None or self.grant.may_open(owner)

    def require_api_key(self) -> None:
        """Raises Problem(forbidden) for a client secret."""
        if self.kind != "api_key":
            raise Problem(Code.FORBIDDEN, "a client secret opens realtime sessions and reads avatars and personas; this needs an API key")


def identify(caller: Principal) -> None:
    """For log lines and records."""
    context = request_context.current()
    context.tenant, context.key_id = caller.tenant, caller.key_id
    context.end_user_id = caller.grant.end_user_id if caller.grant else ""


class Authenticator:
    """Checks credentials against the tenants file and the secrets in Redis."""

    def __init__(self, tenants: TenantFile, secrets: ClientSecrets) -> None:
        self._tenants, self._secrets = tenants, secrets

    async def of_request(self, authorization: str | None, origin: str | None) -> Principal:
        """The caller of a request. Raises Problem (unauthorized; forbidden: a secret used from another origin)."""
        scheme, _, credential = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not credential.strip():
            raise Problem(Code.UNAUTHORIZED, "send `Authorization: Bearer <API key>`")
        return await self._principal(credential.strip(), origin)

    async def of_socket(self, headers: Mapping[str, str], subprotocols: Iterable[str]) -> Principal:
        """The caller of a WebSocket: the Authorization header, or a subprotocol that carries the credential."""
        origin = headers.get("origin")
        for offered in subprotocols:
            for prefix in SUBPROTOCOLS:
                if offered.startswith(prefix):
                    return await self._principal(offered[len(prefix) :], origin)
        return await self.of_request(headers.get("authorization"), origin)

    async def _principal(self, credential: str, origin: str | None) -> Principal:
        tenants = self._tenants.content
        if key := tenants.owner(credential):
            return Principal(key.tenant, key.id, "api_key", tenants.limits(key.tenant))
        grant = await self._secrets.find(credential)
        if grant is None or not self.key_stands(grant.key_id):
            raise Problem(Code.UNAUTHORIZED, "this key or client secret is unknown, has expired or was revoked")
        grant.check_origin(origin)
        return Principal(grant.tenant, grant.key_id, "client_secret", tenants.limits(grant.tenant), grant)

    def key_stands(self, key_id: str) -> bool:
        """A secret ends with the key that minted it. The page of the local profile has no key."""
        return not key_id or any(key.id == key_id and key.revoked is None for key in self._tenants.content.keys)
