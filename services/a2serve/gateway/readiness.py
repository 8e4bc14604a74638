"""Readiness: whether this gateway can take sockets, and the state of its dependencies.

Once it has reached Redis and inference it stays ready until it drains: an outage of theirs hits all replicas alike, and to take
every replica out of the load balancer would also end what goes on without them. Requests that need them answer 503 by themselves.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from prometheus_client import CollectorRegistry, Gauge, Histogram
from redis.exceptions import RedisError

from a2serve.contracts.problems import Problem
from a2serve.telemetry import names

CHECK_S = 2.0
LAG_TICK_S = 0.25
OK = "ok"


class Dependencies:
    """`ask`: by name, a call that fails while the dependency cannot be reached."""

    def __init__(self, registry: CollectorRegistry, ask: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
        self._ask = ask
        self._up = Gauge(names.METRIC_GATEWAY_DEPENDENCY_UP, "1: it answers", (names.LABEL_DEPENDENCY,), registry=registry)
        self.last = dict.fromkeys(ask, "not asked yet")
        self.reached_once = False

    async def look(self) -> dict[str, str]:
        """Asks them all; "ok", or why not."""
        states = await asyncio.gather(*(_check(ask) for ask in self._ask.values()))
        self.last = dict(zip(self._ask, states, strict=True))
        for name, state in self.last.items():
            self._up.labels(name).set(state == OK)
        self.reached_once = self.reached_once or all(state == OK for state in states)
        return self.last

    async def were_reached(self) -> bool:
        """True if all were reached at some time since the start. After that it asks none again."""
        if not self.reached_once:
            await self.look()
        return self.reached_once


async def _check(ask: Callable[[], Awaitable[object]]) -> str:
    try:
        async with asyncio.timeout(CHECK_S):
            await ask()
    except (RedisError, Problem, TimeoutError, OSError) as error:
        return f"unreachable ({type(error).__name__})"
    return OK


class LoopLag:
    """Lag of the event loop: every socket of this process waits so long in addition."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            names.METRIC_GATEWAY_LOOP_LAG_SECONDS,
            "how late the event loop wakes a sleeper",
            buckets=names.BUCKETS_LAG_SECONDS,
            registry=registry,
        )
        self.last_s = 0.0

    async def run(self) -> None:
        """Measures until it is cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            due_s = clock() + LAG_TICK_S
            await asyncio.sleep(LAG_TICK_S)
            self.last_s = max(0.0, clock() - due_s)
            self._seconds.observe(self.last_s)
