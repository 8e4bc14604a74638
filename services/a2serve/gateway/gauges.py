"""Gauges that have to be asked for: open sockets, the outbox. Read every few seconds."""

from contextlib import suppress

from prometheus_client import CollectorRegistry, Gauge
from redis.exceptions import RedisError

from a2serve.gateway.realtime.connection.socket_route import RealtimeService
from a2serve.gateway.state.outbox import Outbox
from a2serve.gateway.state.outbox_sender import OutboxSender
from a2serve.gateway.state.spool import Spool
from a2serve.telemetry import names


class GatewayGauges:
    """Gauges of one gateway, read when Prometheus asks."""

    def __init__(self, registry: CollectorRegistry, outbox: Outbox, sender: OutboxSender, realtime: RealtimeService, spool: Spool) -> None:
        self._outbox = outbox
        Gauge(names.METRIC_GATEWAY_SESSIONS, "open sockets", registry=registry).set_function(lambda: len(realtime.sessions))
        self._waiting = Gauge(names.METRIC_GATEWAY_OUTBOX, "records the broker has not acknowledged, of all replicas", registry=registry)
        failures = Gauge(names.METRIC_GATEWAY_OUTBOX_FAILURES, "failed deliveries in a row", registry=registry)
        failures.set_function(lambda: sender.failures)
        spooled = Gauge(names.METRIC_GATEWAY_SPOOL_BYTES, "what Redis does not take, on this replica's disk", registry=registry)
        spooled.set_function(lambda: spool.waiting_bytes)
        dropped = Gauge(names.METRIC_GATEWAY_SPOOL_DROPPED, "what the spool did not take either", registry=registry)
        dropped.set_function(lambda: spool.dropped)

    async def read(self) -> None:
        """Reads from Redis how many records wait."""
        with suppress(RedisError):  # the gauge of dependencies tells
            self._waiting.set(await self._outbox.waiting())
