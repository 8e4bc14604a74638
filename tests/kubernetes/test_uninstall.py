"""Going: what `helm uninstall` and the deletion of the namespace leave, and in which order nothing is left."""

import time

from kube import look
from kube.processes import until
from kube.ray_state import ray_state
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


def _left(found: Release) -> list[str]:
    """Objects of every kind that the API server knows, and the release's own outside of the namespace. Secrets were made by hand."""
    kinds = found.cluster.kubectl("api-resources", "--namespaced", "--verbs=list", "--output=name").stdout.split()
    wanted = ",".join(kind for kind in kinds if kind.partition(".")[0] not in ("events", "secrets"))
    said = found.cluster.kubectl("get", wanted, "--namespace", found.namespace, "--output=name")
    assert said.returncode == 0, said.stderr
    return [name for name in said.stdout.split() if not name.startswith(NOT_OF_IT)] + cluster_wide(found.api, found.namespace)


def _wait(found: Release, within_s: float) -> float:
    """Seconds until nothing was left; `within_s` where something was."""
    began = time.monotonic()
    while _left(found) and time.monotonic() - began < within_s:
        time.sleep(0.5)
    return round(time.monotonic() - began, 1)


def test_helm_uninstall_leaves_nothing_and_the_namespace_goes(empty: Release, figures: dict[str, object]) -> None:
    """N4, and N5 in the documented order. The hook waits for KubeRay to clear Ray's state in Redis, which wants the head's account."""
    found = empty.ready(example("gke"), SMALL)
    began = time.monotonic()
    found.uninstall()
    _wait(found, GOING_S)
    figures["uninstall_seconds"] = round(time.monotonic() - began, 1)
    figures["uninstall_objects_left"] = len(_left(found))
    assert not _left(found)
    assert not [said for said in look.warnings(found.api, found.namespace) if "redis-cleanup" in said]
    began = time.monotonic()
    found.api.delete("namespaces", "", found.namespace)
    until("the namespace is gone", lambda: found.api.gone("namespaces", "", found.namespace), GOING_S)
    figures["namespace_delete_seconds"] = round(time.monotonic() - began, 1)


def test_helm_uninstall_leaves_no_key_of_ray_in_redis(empty: Release, figures: dict[str, object]) -> None:
    """N4, with a real Valkey: KubeRay's Job runs its own command with Ray's own program. The keys are written as GCS names them."""
    with ray_state() as redis:
        found = empty.ready(example("gke"), SMALL, {"redis": {"address": redis.address}})
        (cluster,) = found.clusters()
        redis.write(found, cluster)
        assert len(redis.keys()) > 1
        found.uninstall()
        left = redis.keys()
        figures["redis_keys_left"] = len(left)
        assert not left and redis.others() == 1


def test_a_namespace_that_was_deleted_first_is_freed_as_documented(empty: Release) -> None:
    """N5: the clean-up that KubeRay's finalizer waits for may not begin in a namespace that goes."""
    found = empty.ready(example("gke"), SMALL)
    (cluster,) = found.clusters()
    found.api.delete("namespaces", "", found.namespace)
    until("only the cluster waits", lambda: not found.pods() and "deletionTimestamp" in found.clusters()[cluster]["metadata"], GOING_S)
    documented("kubectl patch raycluster NAME", found, NAME=cluster)
    # Kubernetes looks again after up to a minute.
    until("the namespace is gone", lambda: found.api.gone("namespaces", "", found.namespace), 2 * GOING_S)
