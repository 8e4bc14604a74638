"""Leases of live sessions, on a real Valkey."""

from contextlib import AsyncExitStack

from support.servers.gateway import run

from a2serve.gateway.access.limits import Lease, TenantLimits
from a2serve.gateway.state import redis_client, redis_keys
from a2serve.gateway.tenants import Limits


def test_of_two_that_come_at_once_the_one_who_stays_is_counted(valkey_port: int) -> None:
    """Both take the lease, and the one who took it first has the session in the end."""

    async def within() -> None:
        async with redis_client.connect(f"redis://127.0.0.1:{valkey_port}/0") as redis:
            limits, one_at_most = TenantLimits(redis), Limits(max_sessions=1)
            async with AsyncExitStack() as stays:
                await stays.enter_async_context(limits.session("acme", one_at_most, Lease("sess_1", "socket_a")))
                async with limits.session("acme", one_at_most, Lease("sess_1", "socket_b")):
                    await redis.hset(redis_keys.session("acme", "sess_1"), "holder", "socket_a")
                assert await limits.live_sessions("acme") == 1, "while it is open it is counted"
                again = Lease("sess_1", "socket_a")
                async with limits.session("acme", one_at_most, again):
                    pass
            assert await limits.live_sessions("acme") == 0

    run(within)
