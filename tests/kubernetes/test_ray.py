"""A Ray cluster is replaced, loses a part, or is not the only one: the real operator, whose heads are played."""

import time

from kube import look
from kube.kubelet import FAIL
from kube.processes import until
from kube.release import Release, documented, example
from kube.watch import Watch, asked, reached, watching
from support.chart.render import Object

SMALL: Object = {"gateway": {"autoscaling": {"mode": "none"}, "replicas": 1}, "recorder": {"replicas": 1, "autoscaling": {"mode": "none"}}}
NEXT: Object = {"inference": {"versionDefaults": {"image": {"tag": "next"}}}}
OLD_S = 20  # how long the old cluster lives after the switch


def _workers(least: int, most: int, old_s: int = OLD_S) -> Object:
    group = {"min": least, "max": most}
    return {"inference": {"ray": {"deleteOldAfterSeconds": old_s}, "versionDefaults": {"workerGroups": {"gpu": group, "spot": None}}}}


def _cluster_of(found: Release) -> dict[str, str]:
    return {pod["metadata"]["name"]: pod["metadata"]["labels"]["ray.io/cluster"] for pod in found.pods(ray="worker")}


def test_gateways_ask_one_cluster_at_a_time(empty: Release) -> None:
    found = empty.ready(example("gke"), SMALL, _workers(2, 2, old_s=10))
    (first,), service = found.clusters(), asked(found)
    found.upgrade(NEXT)
    last_s, mixed = time.monotonic() + 120, set()
    while first in found.clusters():
        owners = _cluster_of(found)
        behind = {owners[name] for name in look.endpoints(found.api, found.namespace, service) if name in owners}
        mixed |= behind if len(behind) > 1 else set()
        assert time.monotonic() < last_s, "the first cluster does not go"
        time.sleep(0.3)
    found.settled()
    assert not mixed


def _peak(found: Release) -> str:
    """Two workers run where `min` is one; another Ray cluster's workers will start 4 s apart. Returns the Ray cluster."""
    found.ready(example("gke"), SMALL, _workers(1, 3, old_s=5))
    (first,) = found.clusters()
    found.scale_workers(first, 2)
    until("both are found", lambda: reached(found) == 2, 60)
    return first


def _replaced(found: Release, first: str, *values: Object) -> Watch:
    """Watches what gateways found until the first Ray cluster was gone and all was quiet."""
    with found.cluster.kubelet.apart(4.0), watching(lambda: reached(found)) as seen:
        found.upgrade(NEXT, *values)
        until("the first cluster is gone", lambda: first not in found.clusters(), 150)
        found.settled()
    return seen


def test_an_upgrade_at_the_peak_keeps_the_workers(empty: Release, figures: dict[str, object]) -> None:
    """N2, as documented: `min` is the number that runs, so Serve, and with it KubeRay, waits for so many."""
    seen = _replaced(empty, _peak(empty), _workers(2, 3, old_s=5))
    figures["upgrade_min_replicas_ratio"] = seen.ratio(2)
    assert len(empty.pods(ray="worker")) == 2 and seen.least >= 2


def test_with_a_lower_min_the_switch_does_not_wait_for_all(empty: Release, figures: dict[str, object]) -> None:
    """Why the documentation says so. All workers come, but gateways are sent to the new cluster when `min` of them run."""
    seen = _replaced(empty, _peak(empty))
    figures["upgrade_with_a_lower_min_ratio"] = seen.ratio(2)
    assert len(empty.pods(ray="worker")) == 2 and seen.least == 1


def test_a_rollback_of_a_finished_replacement_begins_with_the_old_number(empty: Release) -> None:
    """Helm brings the old revision's numbers back, so with more workers now the documentation upgrades to the old values."""
    _replaced(empty, _peak(empty), _workers(2, 3, old_s=5))
    (second,) = empty.clusters()
    empty.rollback()
    until("the second cluster is gone", lambda: second not in empty.clusters(), 150)
    empty.settled()
    assert len(empty.pods(ray="worker")) == 1


def test_rollback_of_an_upgrade_that_finds_no_gpu_ends_with_the_first_cluster(empty: Release, figures: dict[str, object]) -> None:
    """Four on-demand nodes have a GPU; three workers run, of the next three two do not fit."""
    found = empty.ready(example("gke"), SMALL, _workers(3, 3, old_s=5))
    (first,) = found.clusters()
    found.upgrade(NEXT)
    until("its workers wait", lambda: any("nvidia.com/gpu" in look.trouble(pod) for pod in found.pods(ray="worker")), 60)
    with watching(lambda: reached(found)) as seen:
        began = time.monotonic()
        found.rollback()
        last_s = began + 60
        while len(found.clusters()) != 1 and time.monotonic() < last_s:
            time.sleep(0.1)
        found.settled()
        figures["rollback_stuck_seconds"] = round(time.monotonic() - began, 1)
    figures["rollback_clusters_left"] = len(found.clusters())
    figures["rollback_min_replicas_ratio"] = seen.ratio(3)
    assert set(found.clusters()) == {first} and seen.least >= 3


def test_without_hooks_the_documented_command_does_it(empty: Release) -> None:
    found = empty.ready(example("gke"), SMALL, _workers(3, 3, old_s=5))
    (first,) = found.clusters()
    found.upgrade(NEXT)
    until("its workers wait", lambda: any("nvidia.com/gpu" in look.trouble(pod) for pod in found.pods(ray="worker")), 60)
    found.rollback("--no-hooks")
    until("the third cluster", lambda: len(found.clusters()) == 3, 60)
    documented("kubectl patch rayservice", found, **{"a2llm-inference-green": "a2llm-inference-blue"})
    until("one cluster is left", lambda: set(found.clusters()) == {first}, 120)
    found.settled()


def test_a_head_that_dies_is_replaced_and_its_workers_stay(empty: Release) -> None:
    found = empty.ready(example("gke"), SMALL, _workers(2, 2))
    workers, (head,) = found.names(ray="worker"), found.names(ray="head")
    _fail(found, head)
    until("there is another", lambda: found.names(ray="head") - {head} and len(look.ready(found.pods(ray="head"))) == 1, 90)
    assert found.names(ray="worker") == workers


def test_a_worker_that_dies_is_another_pod(empty: Release) -> None:
    """N9: Ray's pods are restartPolicy Never, so its Triton loads anew."""
    found = empty.ready(example("gke"), SMALL, _workers(2, 2))
    assert {pod["spec"]["restartPolicy"] for pod in found.pods(ray="worker")} == {"Never"}
    dead, alive = sorted(found.names(ray="worker"))
    _fail(found, dead)
    until("there is another", lambda: len(look.ready(found.pods(ray="worker"))) == 2 and dead not in found.names(), 90)
    assert alive in found.names(ray="worker")


def _fail(found: Release, pod: str) -> None:
    found.api.merge(found.api.path("pods", found.namespace, pod), {"metadata": {"annotations": {FAIL: "true"}}})


def test_only_what_kuberay_adds_may_fill_a_nodes_disk(empty: Release) -> None:
    """N10: Ray's logs, whose files are bounded by their number and size."""
    found = empty.ready(example("gke"), SMALL, _workers(1, 1))
    volumes = [volume for pod in found.pods() for volume in pod["spec"]["volumes"] if "emptyDir" in volume]
    assert {volume["name"] for volume in volumes if "sizeLimit" not in volume["emptyDir"]} <= {"ray-logs"}
