"""Nodes that go: what the disruption budgets let go at a time, and the documented command."""

import re
import shlex
from collections.abc import Iterator

import pytest
from chart_render import ROOT, Object
from kube import look
from kube.cluster import Cluster
from kube.processes import until
from kube.release import NAME, Release, example, release

SMALL: Object = {
    "gateway": {"autoscaling": {"mode": "none"}, "replicas": 3},
    "recorder": {"autoscaling": {"mode": "none"}},
    "inference": {
        "versionDefaults": {"workerGroups": {"gpu": {"min": 2, "max": 4, "pod": {"nodeSelector": {"a2llm/pool": "gpu"}}}, "spot": None}}
    },
}


@pytest.fixture(scope="module")
def gke(own_cluster: Cluster) -> Iterator[Release]:
    with release(own_cluster) as found:
        yield found.ready(example("gke"), SMALL)


def _evicted(found: Release, names: set[str]) -> int:
    """How many of them may go before another one runs."""
    with found.cluster.kubelet.holding():
        return sum(look.evict(found.api, found.namespace, name) for name in sorted(names))


def test_one_gateway_goes_at_a_time(gke: Release) -> None:
    _seen(gke, "gateway", 3)
    assert _evicted(gke, gke.names("gateway")) == 1
    gke.settled()
    assert len(gke.pods("gateway")) == 3


def test_with_the_least_workers_one_goes_at_a_time(gke: Release) -> None:
    _seen(gke, "inference-blue", 2)
    assert _evicted(gke, gke.names(ray="worker")) == 1
    gke.settled()
    assert len(gke.pods(ray="worker")) == 2


@pytest.mark.xfail(strict=True, reason="B6: a budget for Ray's pods is a number that follows from min, so of more workers more go at once")
def test_with_more_workers_too(gke: Release) -> None:
    (cluster,) = gke.clusters()
    gke.scale_workers(cluster, 4)
    try:
        _seen(gke, "inference-blue", 4)
        assert _evicted(gke, gke.names(ray="worker")) == 1
    finally:
        gke.scale_workers(cluster, 2)
        gke.settled()


def _seen(found: Release, budget: str, healthy: int) -> None:
    """The controller has counted the pods that are there."""

    def counted() -> bool:
        status = found.api.get("poddisruptionbudgets", found.namespace, f"{NAME}-{budget}").get("status", {})
        return status.get("currentHealthy") == healthy and status.get("disruptionsAllowed", 0) > 0

    until(f"{budget} has {healthy} healthy pods", counted, 60)


@pytest.mark.parametrize("pool", ["gpu", "system"])
def test_drain_moves_what_is_on_a_node(gke: Release, pool: str) -> None:
    """With the flags that pods with emptyDirs want."""
    _drained(gke, pool, "--ignore-daemonsets --delete-emptydir-data")


@pytest.mark.xfail(strict=True, reason="N11: the documented command lacks the flags that pods with emptyDirs want")
def test_the_documented_drain_is_enough(gke: Release) -> None:
    found = re.findall(r"`?kubectl drain (?:NODE)?([^`\n]*)`?", (ROOT / "docs" / "kubernetes.md").read_text())
    assert found
    _drained(gke, "system", max(found, key=len))


def _drained(found: Release, pool: str, flags: str) -> None:
    nodes = [pod["spec"]["nodeName"] for pod in found.pods("gateway" if pool == "system" else "inference")]
    node = nodes[0]
    try:
        done = found.cluster.kubectl("drain", node, *shlex.split(flags), "--timeout=90s")
        assert done.returncode == 0, done.stderr
        found.settled()
        assert node not in {pod["spec"]["nodeName"] for pod in found.pods()}
    finally:
        found.cluster.kubectl("uncordon", node)
        found.settled()
