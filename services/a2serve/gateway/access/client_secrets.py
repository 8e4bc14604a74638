"""Client secrets: what a tenant's server gives to a page, so that the page never holds an API key.

A secret is bound to tenant, session config, origin and expiry. Redis keeps its hash only.
"""

import re
import secrets
import time
from typing import Any

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from a2serve.contracts.client_events import ClientEventBase, ItemCreate, ResponseCreate, SessionUpdate
from a2serve.contracts.items import MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.state import redis_keys

MIN_S, DEFAULT_S, MAX_S = 10, 600, 7200
SECRET = re.compile(r"ek_([a-z0-9-]{1,41})_[0-9A-Za-z_-]{43}")
# What decides what the avatar does and costs. Sound, motion and turn taking are the client's own business.
BOUND = ("instructions", "tools", "tool_choice", "max_output_tokens", "prompt", "output_modalities")


class Grant(BaseModel):
    """What a secret allows. `config` holds only the settings that were named when it was minted."""

    model_config = ConfigDict(frozen=True)

    tenant: str
    key_id: str
    config: dict[str, Any]
    origin: str | None
    end_user_id: str = ""
    expires_at: int  # seconds since 1970

    @property
    def session(self) -> SessionConfig:
        return SessionConfig.model_validate(self.config)

    def check_origin(self, origin: str | None) -> None:
        """Raises Problem(forbidden) for another origin than the one the secret is bound to."""
        if self.origin is not None and origin != self.origin:
            raise Problem(Code.FORBIDDEN, f"this client secret may only be used from {self.origin}")

    def check_event(self, event: ClientEventBase) -> None:
        """Raises Problem(forbidden) for an event that would widen what the secret binds; other events pass."""
        if isinstance(event, SessionUpdate):
            self._check(event.session.model_dump(mode="json", exclude_unset=True), "session.")
            self._check_persona(event.session)
        elif isinstance(event, ResponseCreate) and event.response is not None:
            self._check(event.response.model_dump(mode="json", exclude_unset=True), "response.")
            for item in event.response.input or ():
                self._check_item(item)
        elif isinstance(event, ItemCreate):
            self._check_item(event.item)

    def _check(self, changes: dict[str, Any], prefix: str) -> None:
        bound = self.session.model_dump(mode="json")
        for name in BOUND:
            if name in self.config and changes.get(name) is not None and not _within(name, changes[name], bound[name]):
                raise _bound(prefix + name)

    def _check_persona(self, session: SessionConfig) -> None:
        own = self.session.a2
        bound = own.persona if own else ""
        if bound and session.a2 and "persona" in session.a2.model_fields_set and session.a2.persona != bound:
            raise _bound("session.a2.persona")

    def _check_item(self, item: object) -> None:
        if "instructions" in self.config and isinstance(item, MessageItem) and item.role == "system":
            raise _bound("item.role")


class ClientSecrets:
    """Mints and finds secrets."""

    def __init__(self, redis: "Redis") -> None:
        self._redis = redis

    async def mint(
        self,
        tenant: str,
        key_id: str,
        session: SessionConfig,
        *,
        seconds: int = DEFAULT_S,
        origin: str | None = None,
        end_user_id: str = "",
    ) -> tuple[str, Grant]:
        """A new secret for `seconds` (10..7200; ValueError) and what it grants."""
        if not MIN_S <= seconds <= MAX_S:
            raise ValueError(f"a client secret lives {MIN_S} to {MAX_S} seconds")
        secret = f"ek_{tenant}_{secrets.token_urlsafe(32)}"
        config = session.model_dump(mode="json", exclude_unset=True)
        grant = Grant(
            tenant=tenant, key_id=key_id, config=config, origin=origin, end_user_id=end_user_id, expires_at=int(time.time()) + seconds
        )
        await self._redis.set(redis_keys.client_secret(tenant, secret), grant.model_dump_json(), ex=seconds)
        return secret, grant

    async def find(self, secret: str) -> Grant | None:
        """The grant of a living secret. The tenant inside the secret only says where to look."""
        match = SECRET.fullmatch(secret)
        if match is None:
            return None
        raw = await self._redis.get(redis_keys.client_secret(match[1], secret))
        return Grant.model_validate_json(raw) if raw else None


def _within(name: str, wanted: Any, bound: Any) -> bool:
    """Fewer tokens are no widening; everything else has to be the same."""
    if name == "max_output_tokens":
        return bound == "inf" or (wanted != "inf" and wanted <= bound)
    return bool(wanted == bound)


def _bound(param: str) -> Problem:
    return Problem(Code.FORBIDDEN, f"{param} is fixed by the client secret", param=param)
