"""Open sockets whose opener may not keep them: a key that is gone, a secret that has ended or was revoked, and Redis away."""

import asyncio
import time
from contextlib import ExitStack

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2serve.gateway.access.auth import Principal
from a2serve.gateway.access.client_secrets import Grant
from a2serve.gateway.access.watch import Watch
from a2serve.gateway.tenants import Limits

LIMITS = Limits()


class Keys:
    """Keys that stand."""

    def __init__(self, *standing: str) -> None:
        self.standing = set(standing)

    def key_stands(self, key_id: str) -> bool:
        return key_id in self.standing


class Secrets:
    """Client secrets that were revoked; `away` is what Redis says instead."""

    def __init__(self, *revoked: tuple[str, str], away: Exception | None = None) -> None:
        self.gone, self.away, self.asked = set(revoked), away, []

    async def revoked(self, grants: list[tuple[str, str]]) -> set[tuple[str, str]]:
        self.asked.append(grants)
        if self.away:
            raise self.away
        return self.gone & set(grants)


def with_key(key_id: str) -> Principal:
    return Principal("acme", key_id, "api_key", LIMITS)


def with_secret(grant_id: str, expires_in_s: float = 60.0) -> Principal:
    grant = Grant(id=grant_id, tenant="acme", key_id="k1", config={}, origin=None, expires_at=int(time.time() + expires_in_s))
    return Principal("acme", "k1", "client_secret", LIMITS, grant)


def withdrawn(watch: Watch, **callers: Principal) -> list[tuple[str, str]]:
    async def scene() -> list[tuple[str, str]]:
        ended: list[tuple[str, str]] = []
        with ExitStack() as held:
            for holder, caller in callers.items():
                held.enter_context(watch.over(holder, caller))
            await watch.look(lambda holder, why: ended.append((holder, why)))
        await watch.look(lambda holder, why: ended.append(("left", why)))  # one that has left is not looked at any longer
        return ended

    return asyncio.run(scene())


def test_a_key_that_is_gone_ends_its_sockets_and_its_secrets_sockets() -> None:
    watch = Watch(Keys("k2"), Secrets(), close_expired=False)
    ended = withdrawn(watch, a=with_key("k1"), b=with_key("k2"), c=with_secret("cs_1"))
    assert ended == [("a", "revoked"), ("c", "revoked")]


@pytest.mark.parametrize(("close_expired", "ended"), [(True, [("old", "expired")]), (False, [])])
def test_a_socket_ends_with_its_secret_where_that_is_wanted(close_expired: bool, ended: list[tuple[str, str]]) -> None:
    watch = Watch(Keys("k1"), Secrets(), close_expired=close_expired)
    assert withdrawn(watch, old=with_secret("cs_1", -1.0), new=with_secret("cs_2")) == ended


def test_each_revoked_secret_is_asked_for_once_and_ends_all_its_sockets() -> None:
    secrets = Secrets(("acme", "cs_1"))
    watch = Watch(Keys("k1"), secrets, close_expired=False)
    ended = withdrawn(watch, a=with_secret("cs_1"), b=with_secret("cs_1"), c=with_secret("cs_2"), d=with_key("k1"))
    assert ended == [("a", "revoked"), ("b", "revoked")]
    assert secrets.asked == [[("acme", "cs_1"), ("acme", "cs_2")]], "nothing is asked where nobody holds a secret"


def test_redis_away_ends_nobody() -> None:
    watch = Watch(Keys("k1"), Secrets(away=RedisConnectionError("away")), close_expired=False)
    assert withdrawn(watch, a=with_secret("cs_1")) == []
