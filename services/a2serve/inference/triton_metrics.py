"""Shows a Prometheus registry on Triton's own /metrics, series by series under the same names, a moment later.

Triton's custom metrics know counters and gauges; a histogram's series (_bucket, _sum, _count) are counters, which is what they
are to every query. Each series also says which model and version it belongs to.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry

Key = tuple[str, tuple[tuple[str, str], ...]]


class MetricsMirror:
    """`utils` is Triton's module for Python models; every call into it that changes a metric costs some 50 us."""

    def __init__(self, registry: CollectorRegistry, utils: Any, labels: Mapping[str, str]) -> None:
        self._registry, self._families, self._labels = registry, utils.MetricFamily, dict(labels)
        self._made: dict[str, Any] = {}  # families by series name
        self._shown: dict[Key, tuple[Any, float]] = {}  # metric and the value it has

    def show(self) -> None:
        """Brings Triton's metrics up to date. Not for several threads at a time."""
        for name, help_text, labels, value, counts in self._samples():
            key = (name, tuple(sorted(labels.items())))
            if key not in self._shown:
                self._shown[key] = (self._family(name, help_text, counts).Metric(labels=labels | self._labels), 0.0)
            metric, before = self._shown[key]
            if value != before:
                if counts:
                    metric.increment(value - before)
                else:
                    metric.set(value)
                self._shown[key] = (metric, value)

    def _samples(self) -> Iterator[tuple[str, str, dict[str, str], float, bool]]:
        """Name, help, labels, value, and whether it only grows."""
        for family in self._registry.collect():
            for sample in family.samples:
                if not sample.name.endswith("_created"):
                    yield sample.name, family.documentation, sample.labels, sample.value, family.type in ("counter", "histogram")

    def _family(self, name: str, help_text: str, counts: bool) -> Any:
        if name not in self._made:
            kind = self._families.COUNTER if counts else self._families.GAUGE
            self._made[name] = self._families(name=name, description=help_text, kind=kind)
        return self._made[name]
