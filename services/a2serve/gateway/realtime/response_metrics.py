"""What the gateway counts about responses: how they ended, how soon they began, whether the player ran dry. Sockets and REST turns."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from a2serve.telemetry import names


class ResponseMetrics:
    """One per gateway. Without a registry, in one of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        shown, ended = registry or CollectorRegistry(), (names.LABEL_STATUS, names.LABEL_CODE)
        self._responses = Counter(names.METRIC_GATEWAY_RESPONSES, "responses by how they ended", ended, registry=shown)
        self._first_packet = Histogram(names.METRIC_GATEWAY_FIRST_PACKET_SECONDS, "the turn was called over to first sound sent",
                                       buckets=names.BUCKETS_LATENCY_SECONDS, registry=shown)  # fmt: skip
        self._underruns = Counter(names.METRIC_GATEWAY_UNDERRUNS, "responses whose player ran dry", registry=shown)

    def count(self, status: str, code: str, first_packet_ms: float | None, *, underran: bool) -> None:
        """A response has ended. `code`: of the problem that it failed with; `first_packet_ms`: None where no sound was sent."""
        self._responses.labels(status, code).inc()
        if first_packet_ms is not None:
            self._first_packet.observe(first_packet_ms / 1000)
        if underran:
            self._underruns.inc()
