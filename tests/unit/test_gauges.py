"""Gauges tell what is so now; Redis is asked only when they are read anew."""

import asyncio
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry
from redis.exceptions import ConnectionError as RedisConnectionError

from a2serve.gateway.gauges import GatewayGauges
from a2serve.telemetry import names


class Outbox:
    """So many records wait; `away`: Redis does not answer."""

    waits, away = 0, False

    async def waiting(self) -> int:
        if self.away:
            raise RedisConnectionError
        return self.waits


def test_each_gauge_follows_what_it_is_of():
    registry, outbox = CollectorRegistry(), Outbox()
    sender, spool, realtime = SimpleNamespace(failures=0), SimpleNamespace(waiting_bytes=0, dropped=0), SimpleNamespace(sessions=set[int]())
    made: Any = GatewayGauges(registry, outbox, sender, realtime, spool)  # type: ignore[arg-type]
    outbox.waits, sender.failures, spool.waiting_bytes, spool.dropped = 5, 2, 300, 1
    realtime.sessions.update({1, 2, 3})
    asyncio.run(made.read())
    metrics = (names.METRIC_GATEWAY_SESSIONS, names.METRIC_GATEWAY_OUTBOX, names.METRIC_GATEWAY_OUTBOX_FAILURES)
    spooled = (names.METRIC_GATEWAY_SPOOL_BYTES, names.METRIC_GATEWAY_SPOOL_DROPPED)
    assert [registry.get_sample_value(name) for name in metrics] == [3, 5, 2]
    assert [registry.get_sample_value(name) for name in spooled] == [300, 1]
    outbox.away, outbox.waits = True, 9
    asyncio.run(made.read())
    assert registry.get_sample_value(names.METRIC_GATEWAY_OUTBOX) == 5, "what was read last, while Redis is away"
