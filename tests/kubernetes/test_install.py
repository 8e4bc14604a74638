"""Installing: each example as documentation says, and what is said when something is missing."""

import pytest
from kube import look
from kube.api import Refused
from kube.cluster import Cluster
from kube.processes import until
from kube.release import NAME, Release, example, merged, release, secrets_of
from support.chart.render import Object, render

DEFAULT: Object = {  # nothing but what has no default
    "redis": {"address": "redis.data:6379"},
    "kafka": {"servers": "kafka.data:9092"},
    "database": {"secret": {"name": "a2llm-database"}},
}
# Warnings that say nothing of the chart: an HPA whose metrics nobody serves here, a budget that has not seen its pods yet, a pod whose
# volume was taken in the same second, an API server that has not written down an address yet, an operator that has not seen its own work.
EXPECTED = ("FailedGet", "FailedComputeMetricsReplicas", "NoPods", "FailedScheduling", "ClusterIPNotAllocated", "already exists")


@pytest.mark.parametrize("name", ["trial", "gke", "eks", "airgap", ""])
def test_an_example_installs_secrets_first(own_cluster: Cluster, name: str) -> None:
    """All pods run, every Service has somebody behind it, nobody warns, `helm test` passes. Empty: the defaults."""
    with release(own_cluster) as empty:
        found = empty.ready(example(name) if name else DEFAULT)
        services = {each["metadata"]["name"] for each in found.api.items("services", found.namespace) if each["spec"].get("selector")}
        until("every Service has an endpoint", lambda: all(look.endpoints(found.api, found.namespace, each) for each in services), 60)
        assert f"{NAME}-gateway" in services
        assert not [said for said in look.warnings(found.api, found.namespace) if not any(word in said for word in EXPECTED)]
        tested = found.cluster.helm("test", NAME, "--namespace", found.namespace, "--timeout", "60s")
        assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_trial_is_accepted_and_goes_again(any_cluster: Cluster) -> None:
    """On any cluster, whether or not its nodes can pull the images. The volume with what was recorded stays."""
    with release(any_cluster) as found:
        found.install(example("trial"), {"kafka": {"createTopics": False}})
        found.uninstall()
        until("its objects are gone", lambda: not found.api.items("services", found.namespace), 60)
        kept = found.api.items("persistentvolumeclaims", found.namespace)
        assert f"{NAME}-recorder" in {each["metadata"]["name"] for each in kept}


def test_values_that_do_not_fit_are_refused_before_anything_is_made(empty: Release) -> None:
    said = empty.install(merged(DEFAULT, {"kafka": {"servers": ""}}), wants=False).stderr
    assert "kafka.servers" in said
    assert not empty.api.items("services", empty.namespace)


@pytest.mark.parametrize("secret", ["a2llm-tenants", "a2llm-redis", "a2llm-database", "a2llm-database-readonly"])
def test_a_pod_says_which_secret_it_misses(empty: Release, secret: str) -> None:
    values = example("gke")
    empty.make_secrets(values)
    empty.api.delete("secrets", empty.namespace, secret)
    empty.install(values)
    until(f"a pod names {secret}", lambda: any(f'"{secret}" not found' in look.trouble(pod) for pod in empty.pods()), 60)
    empty.make_secret(secret, {"tenants.toml", "password", "url"})
    empty.settled()


def test_external_secrets_of_the_release_come_before_who_waits_for_them(empty: Release) -> None:
    """A7. By hand is made only what no ExternalSecret makes; what External Secrets would make is made when it is asked for."""
    values = example("eks")
    wanted = secrets_of(values)
    external = {each["spec"]["target"]["name"] for each in render(values).of("ExternalSecret")}
    for name in wanted.keys() - external:
        empty.make_secret(name, wanted[name])
    with empty.installing(values, timeout_s=60) as helm:
        try:
            until("they are there", lambda: len(empty.api.items("externalsecrets", empty.namespace)) == len(external), 40)
            for name in external:
                empty.make_secret(name, wanted[name])
        finally:
            out, _ = helm.communicate(timeout=120)
    assert external and helm.returncode == 0, out
    empty.settled()


@pytest.mark.parametrize("name", ["gke", "eks"])
def test_two_releases_of_an_example_live_in_two_namespaces(own_cluster: Cluster, name: str) -> None:
    """Production and staging."""
    with release(own_cluster) as first, release(own_cluster) as second:
        for found in (first, second):
            found.make_secrets(example(name))
            found.install(example(name), {"inference": {"mode": "standalone"}})


def test_a_stranger_is_not_admitted(empty: Release) -> None:
    """The namespace enforces `restricted`; the tests above would pass without it too."""
    root = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "root"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(Refused, match="restricted"):
        empty.api.apply(root, empty.namespace)
