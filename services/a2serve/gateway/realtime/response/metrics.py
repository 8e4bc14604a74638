"""Counts responses of sockets and REST turns: how they ended, how soon they began and why, whether the player underran."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram

from a2serve.telemetry import names


class ResponseMetrics:
    """One per gateway. Without a registry, in one of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        shown, ended = registry or CollectorRegistry(), (names.LABEL_STATUS, names.LABEL_CODE)
        version, buckets = names.LABEL_VERSION, names.BUCKETS_LATENCY_SECONDS
        self._responses = Counter(names.METRIC_GATEWAY_RESPONSES, "responses by how they ended", ended, registry=shown)
        self._first_packet = Histogram(
            names.METRIC_GATEWAY_FIRST_PACKET_SECONDS,
            "the turn was called over to first sound sent",
            (version,),
            buckets=buckets,
            registry=shown,
        )
        self._phases = Histogram(
            names.METRIC_GATEWAY_PHASE_SECONDS,
            "parts of the time to the first sound",
            (names.LABEL_PHASE, version),
            buckets=buckets,
            registry=shown,
        )
        self._underruns = Counter(names.METRIC_GATEWAY_UNDERRUNS, "responses whose player ran dry", registry=shown)

    def count(self, status: str, code: str, *, underran: bool) -> None:
        """A response has ended. `code`: of the problem that it failed with."""
        self._responses.labels(status, code).inc()
        if underran:
            self._underruns.inc()

    def spoke(self, first_packet_ms: float, phases_ms: Mapping[str, float], version: str) -> None:
        """Its first sound was sent so long after the turn was called over. `version`: the model's revision."""
        self._first_packet.labels(version).observe(first_packet_ms / 1000)
        for phase, took_ms in phases_ms.items():
            self._phases.labels(phase, version).observe(took_ms / 1000)
