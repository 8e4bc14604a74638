"""Going: what `helm uninstall` and the deletion of the namespace leave, in any order, and how long both take."""

import time
from collections.abc import Iterator

import pytest
from kube import look
from kube.processes import until
from kube.ray_state import RayState, ray_state
from kube.release import Release, cluster_wide, documented, example
from support.chart.render import Object

SMALL: Object = {
    "gateway": {"autoscaling": {"mode": "none"}, "replicas": 1},
    "recorder": {"replicas": 1, "autoscaling": {"mode": "none"}},
    "inference": {"versionDefaults": {"workerGroups": {"gpu": {"min": 1, "max": 1}, "spot": None}}},
}
# Of every namespace, an operator's log, or counted by the ReplicaSet and Service that they belong to.
NOT_OF_IT = ("events", "serviceaccount/default", "configmap/kube-root-ca.crt", "lease.", "endpoints/", "podmetrics")
GOING_S = 60
LEASE_S = 30  # 1200 by default: nobody waits for that here


def _left(found: Release) -> list[str]:
    """Objects of every kind that the API server knows, and the release's own outside of the namespace. Secrets were made by hand."""
    kinds = found.cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").stdout.split()
    wanted = ",".join(kind for kind in kinds if kind.partition(".")[0] not in ("events", "secrets"))
    said = found.cluster.kubectl("get", wanted, "--namespace", found.namespace, "--output=name")
    assert said.returncode == 0, said.stderr
    return [name for name in said.stdout.split() if not name.startswith(NOT_OF_IT)] + cluster_wide(found.api, found.namespace)


def _wait(found: Release, within_s: float) -> None:
    """Until nothing is left."""
    last_s = time.monotonic() + within_s
    while _left(found) and time.monotonic() < last_s:
        time.sleep(0.5)


def _delete_namespace(found: Release) -> float:
    """Seconds until it has gone by itself."""
    began = time.monotonic()
    found.api.delete("namespaces", "", found.namespace)
    until("the namespace is gone", lambda: found.api.gone("namespaces", "", found.namespace), GOING_S)
    return round(time.monotonic() - began, 1)


@pytest.fixture
def redis() -> Iterator[RayState]:
    with ray_state() as found:
        yield found


def _standing(empty: Release, redis: RayState) -> Release:
    """A release with an external Redis, in which its Ray cluster has written its state and somebody else something."""
    found = empty.ready(example("gke"), SMALL, {"redis": {"address": redis.address}, "inference": {"ray": {"stateLeaseSeconds": LEASE_S}}})
    (cluster,) = found.clusters()
    redis.write(found, cluster)
    assert len(redis.keys()) > 1
    return found


def test_helm_uninstall_leaves_nothing_and_the_namespace_goes(empty: Release, figures: dict[str, object]) -> None:
    """N4: nothing of any kind is left."""
    found = empty.ready(example("gke"), SMALL)
    began = time.monotonic()
    found.uninstall()
    _wait(found, GOING_S)
    figures["uninstall_seconds"] = round(time.monotonic() - began, 1)
    figures["uninstall_objects_left"] = len(_left(found))
    assert not _left(found)
    figures["namespace_delete_after_uninstall_seconds"] = _delete_namespace(found)


def test_helm_uninstall_leaves_no_key_of_ray_in_redis(empty: Release, redis: RayState, figures: dict[str, object]) -> None:
    """N4: the hook deletes them at once, with a real Valkey. The keys are written as GCS names them."""
    found = _standing(empty, redis)
    found.uninstall()
    left = redis.keys()
    figures["redis_keys_left"] = len(left)
    assert not left and redis.others() == 1


def test_a_namespace_that_is_deleted_with_its_release_goes_by_itself(empty: Release, redis: RayState, figures: dict[str, object]) -> None:
    """N5: no hook of Helm runs. What Ray has in an external Redis outlives it by the lease, and lived through more than one before."""
    found = _standing(empty, redis)
    time.sleep(1.5 * LEASE_S)
    assert len(redis.keys()) > 1 and redis.longest_s() <= LEASE_S
    figures["namespace_delete_seconds"] = _delete_namespace(found)
    assert redis.keys(), "nobody has deleted them"
    until("Ray's keys have expired", lambda: not redis.keys(), 1.5 * LEASE_S)
    figures["redis_keys_left_by_a_deleted_namespace"] = len(redis.keys())
    assert redis.others() == 1


def test_an_operator_with_its_default_setting_clears_redis_itself_before_the_hook(empty: Release, redis: RayState) -> None:
    """N4, whoever runs the operator: its Job wants the head's account and Secret, which must still be there."""
    with empty.cluster.operator.by_default():
        found = _standing(empty, redis)
        found.uninstall()
        assert not redis.keys() and redis.others() == 1
        _wait(found, GOING_S)
        assert not _left(found)
        assert not [said for said in look.warnings(found.api, found.namespace) if "redis-cleanup" in said]


def test_with_the_operators_default_a_deleted_namespace_is_freed_as_documented(empty: Release) -> None:
    """N5: the clean-up that KubeRay's finalizer then waits for may not begin in a namespace that goes."""
    with empty.cluster.operator.by_default():
        found = empty.ready(example("gke"), SMALL)
        (cluster,) = found.clusters()
        assert "ENABLE_GCS_FT_REDIS_CLEANUP=false" in found.upgrade().stdout, "the notes say it"
        found.api.delete("namespaces", "", found.namespace)
        until("only the cluster waits", lambda: not found.pods() and "deletionTimestamp" in found.clusters()[cluster]["metadata"], GOING_S)
        documented("kubectl patch raycluster NAME", found, NAME=cluster)
        # Kubernetes looks again after up to a minute.
        until("the namespace is gone", lambda: found.api.gone("namespaces", "", found.namespace), 2 * GOING_S)


def test_clusters_that_an_operator_made_before_its_setting_changed_are_freed_as_documented(empty: Release) -> None:
    """N5: they keep the finalizer, which nobody takes off any more."""
    with empty.cluster.operator.by_default():
        found = empty.ready(example("gke"), SMALL)
        (cluster,) = found.clusters()
        assert found.clusters()[cluster]["metadata"]["finalizers"]
    documented("kubectl patch raycluster NAME", found, NAME=cluster)
    assert not found.clusters()[cluster]["metadata"].get("finalizers")
    _delete_namespace(found)
