"""Closes sockets whose key or client secret has ended meanwhile. Each gateway looks after its own, every second.

No message has to arrive for that: keys are in the tenants file, revoked secrets in Redis.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Literal, TypeAlias

from redis.exceptions import RedisError

from a2serve.gateway.access.auth import Authenticator, Principal
from a2serve.gateway.access.client_secrets import ClientSecrets

LOOK_S = 1.0
Withdrawn: TypeAlias = Literal["revoked", "expired"]  # why the opener of a socket may not keep it


class Watch:
    """`close_expired`: whether a socket ends with the secret that opened it."""

    def __init__(self, authenticator: Authenticator, secrets: ClientSecrets, *, close_expired: bool) -> None:
        self._authenticator, self._secrets, self._close_expired = authenticator, secrets, close_expired
        self._open: dict[str, Principal] = {}

    @contextmanager
    def over(self, holder: str, caller: Principal) -> Generator[None]:
        """While inside, `holder` is looked after."""
        self._open[holder] = caller
        try:
            yield
        finally:
            del self._open[holder]

    async def look(self, withdraw: Callable[[str, Withdrawn], None]) -> None:
        """Calls `withdraw` for every holder that may not any more."""
        for holder, caller in list(self._open.items()):
            if not self._authenticator.key_stands(caller.key_id):
                withdraw(holder, "revoked")
            elif self._close_expired and caller.grant and caller.grant.expires_at <= time.time():
                withdraw(holder, "expired")
        with suppress(RedisError):  # looked at again in a second
            await self._look_at_secrets(withdraw)

    async def _look_at_secrets(self, withdraw: Callable[[str, Withdrawn], None]) -> None:
        opened = {holder: (caller.tenant, caller.grant.id) for holder, caller in self._open.items() if caller.grant}
        if not opened:
            return
        revoked = await self._secrets.revoked(sorted(set(opened.values())))
        for holder, grant in opened.items():
            if grant in revoked:
                withdraw(holder, "revoked")
