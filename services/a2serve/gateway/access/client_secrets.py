"""Client secrets: a tenant's server gives one to a page, so that the page never holds an API key.

A secret is bound to tenant, session config, origin and expiry. Redis keeps its hash only.
"""

import hashlib
import hmac
import re
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import replace
from functools import cached_property
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.access.fixed_settings import check_item, check_settings, without_loose_instructions
from a2serve.gateway.state import redis_keys
from a2serve.gateway.state.saved_session import Owner, SavedSession

MIN_S, DEFAULT_S, MAX_S = 10, 600, 7200
REVOKED_S = 24 * 3600  # longer than a socket lives
SECRET = re.compile(r"ek_([a-z0-9-]{1,41})_[0-9A-Za-z_-]{43}")
GRANT_ID = r"^cs_[0-9a-f]{64}$"


class Grant(BaseModel):
    """Rights of a client secret. `config` holds only the settings that were named when it was minted: those are fixed.

    It guards the sessions that are opened with it. `id` is what it may be called by: it opens nothing.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    key_id: str
    config: dict[str, Any]
    origin: str | None
    end_user_id: str = ""
    max_sessions: int = 1
    single_use: bool = False
    expires_at: int  # seconds since 1970

    @cached_property
    def session(self) -> SessionConfig:
        return SessionConfig.model_validate(self.config)

    def check_origin(self, origin: str | None) -> None:
        """Raises Problem(forbidden) for another origin than the one the secret is bound to."""
        if self.origin is not None and origin != self.origin:
            raise Problem(Code.FORBIDDEN, f"this client secret may only be used from {self.origin}")

    def may_open(self, owner: Owner) -> bool:
        """Whether a session is its own, or its end user's."""
        return owner.grant_id == self.id or bool(self.end_user_id and owner.end_user_id == self.end_user_id)

    def check_settings(self, result: SessionConfig, where: str) -> None:
        """Raises Problem(forbidden) if `result`, the merged settings, changes a setting that is fixed."""
        check_settings(self.session, result, where)

    def check_item(self, item: object) -> None:
        """Raises Problem(forbidden) for instructions in the clothes of an item, where instructions are fixed."""
        check_item(self.session, item)

    def continued(self, saved: SavedSession, owner: Owner) -> SavedSession:
        """Applies the fixed settings to an earlier session: another secret may have fixed less."""
        config = SessionConfig.from_store(saved.config).merged_with(self.session).model_dump(mode="json")
        items = saved.items if owner.grant_id in ("", self.id) else without_loose_instructions(self.session, saved.items)
        return replace(saved, config=config, items=items)


class ClientSecrets:
    """Mints, finds and revokes secrets."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis

    async def mint(
        self,
        tenant: str,
        key_id: str,
        session: SessionConfig,
        *,
        seconds: int = DEFAULT_S,
        origin: str | None = None,
        end_user_id: str = "",
        max_sessions: int = 1,
        single_use: bool = False,
        grant_id: str = "",
        letters: str = "",
    ) -> tuple[str, Grant]:
        """Mints a secret for `seconds` (10..7200; ValueError); returns it and its grant. `letters`: as `new_letters` makes them."""
        if not MIN_S <= seconds <= MAX_S:
            raise ValueError(f"a client secret lives {MIN_S} to {MAX_S} seconds")
        secret = secret_of(tenant, letters or new_letters())
        grant = Grant(
            id=grant_id or f"cs_{_digest(secret)}",
            tenant=tenant,
            key_id=key_id,
            config=_named(session),
            origin=origin,
            end_user_id=end_user_id,
            max_sessions=max_sessions,
            single_use=single_use,
            expires_at=int(time.time()) + seconds,
        )
        await self._redis.set(redis_keys.client_secret(tenant, _digest(secret)), grant.model_dump_json(), ex=seconds)
        return secret, grant

    async def find(self, secret: str) -> Grant | None:
        """The grant of a living secret. The tenant inside the secret only says where to look."""
        match = SECRET.fullmatch(secret)
        if match is None:
            return None
        raw = await self._redis.get(redis_keys.client_secret(match[1], _digest(secret)))
        return Grant.model_validate({"id": f"cs_{_digest(secret)}"} | orjson.loads(raw)) if raw else None

    async def revoke(self, tenant: str, grant_id: str) -> bool:
        """Ends it; its sockets close within seconds, also those that outlived it. False where there is nothing to end."""
        secret, live = redis_keys.client_secret(tenant, grant_id.removeprefix("cs_")), redis_keys.live_of_grant(tenant, grant_id)
        if not await self._redis.exists(secret, live):
            return False
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.set(redis_keys.revoked(tenant, grant_id), 1, ex=REVOKED_S)
        pipeline.delete(secret)
        await pipeline.execute()
        return True

    async def revoked(self, grants: list[tuple[str, str]]) -> set[tuple[str, str]]:
        """Those of (tenant, grant's id) that were revoked."""
        pipeline = self._redis.pipeline(transaction=False)
        for tenant, grant_id in grants:
            pipeline.exists(redis_keys.revoked(tenant, grant_id))
        return {grant for grant, gone in zip(grants, await pipeline.execute(), strict=True) if gone}


def secret_of(tenant: str, letters: str) -> str:
    return f"ek_{tenant}_{letters}"


def new_letters() -> str:
    """Draws 43 random letters, which nobody can guess."""
    return secrets.token_urlsafe(32)


def letters_of(api_key: str, salt: str) -> str:
    """Derives a secret's letters from the API key and `salt`: the key's owner can make them again, the `salt` alone is of no use."""
    made = hmac.digest(api_key.encode(), b"client secret " + salt.encode(), "sha256")
    return urlsafe_b64encode(made).decode().rstrip("=")


def _named(session: SessionConfig) -> dict[str, Any]:
    """Settings that the grant fixes. A fixed persona fixes who is spoken to: no instructions of the page's own go before the persona's."""
    named = session.model_dump(mode="json", exclude_unset=True)
    return {"instructions": ""} | named if session.a2 and session.a2.persona else named


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
