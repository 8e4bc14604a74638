"""Nodes that go: what the disruption budgets let go at a time, and the documented command."""

from collections.abc import Iterator

import pytest
from kube import look
from kube.cluster import Cluster
from kube.processes import until
from kube.release import NAME, Release, documented, example, release
from support.chart.render import Object

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


def test_with_more_workers_as_many_go_as_are_above_the_least_less_one(gke: Release) -> None:
    """B6: the budget is a number, as documented."""
    (cluster,) = gke.clusters()
    gke.scale_workers(cluster, 4)
    try:
        _seen(gke, "inference-blue", 4)
        assert _evicted(gke, gke.names(ray="worker")) == 4 - (2 - 1)
    finally:
        gke.settled()
        gke.scale_workers(cluster, 2)
        gke.settled()


def _seen(found: Release, budget: str, healthy: int) -> None:
    """The controller has counted the pods that are there."""

    def counted() -> bool:
        status = found.api.get("poddisruptionbudgets", found.namespace, f"{NAME}-{budget}").get("status", {})
        return status.get("currentHealthy") == healthy and status.get("disruptionsAllowed", 0) > 0

    until(f"{budget} has {healthy} healthy pods", counted, 60)


@pytest.mark.parametrize("component", ["gateway", "inference"])
def test_the_documented_drain_moves_what_is_on_a_node(gke: Release, component: str) -> None:
    node = gke.pods(component)[0]["spec"]["nodeName"]
    try:
        documented("kubectl drain NODE", gke, NODE=node)
        gke.settled()
        assert node not in {pod["spec"]["nodeName"] for pod in gke.pods()}
    finally:
        gke.cluster.kubectl("uncordon", node)
        gke.settled()
