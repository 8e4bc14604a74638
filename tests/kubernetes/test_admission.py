"""Asks the API server about everything that the chart renders: strict schemas, defaults, CEL rules, Pod Security. Nothing is kept."""

from collections.abc import Iterator

import pytest
from kube.api import Refused
from kube.cluster import Cluster
from kube.release import Release, release
from support.chart.render import Object, Pod, pods, profiles, rendered


@pytest.fixture(scope="module")
def somewhere(any_cluster: Cluster) -> Iterator[Release]:
    with release(any_cluster) as found:
        yield found


def _said(somewhere: Release, thing: Object) -> list[str]:
    """Refusal or warnings; empty when it is welcome."""
    try:
        return somewhere.api.apply(thing, somewhere.namespace, dry_run=True)
    except Refused as refused:
        if refused.message.startswith("/apis/") and not somewhere.cluster.own:
            return []  # KUBECONFIG's cluster has no such operator
        return [str(refused)]


def _manifest(pod: Pod) -> Object:
    """Makes the pod as KubeRay would."""
    # What the release brings itself is only rendered here.
    spec = {name: value for name, value in pod.spec.items() if name != "priorityClassName"} | {"serviceAccountName": "default"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod", "labels": pod.labels}, "spec": spec}


@pytest.mark.parametrize("profile", profiles())
def test_every_object_is_admitted_strictly_and_without_a_warning(somewhere: Release, figures: dict[str, object], profile: str) -> None:
    said = {f"{thing['kind']} {thing['metadata']['name']}": _said(somewhere, thing) for thing in rendered(profile).objects}
    bad = {name: words for name, words in said.items() if words}
    for name, count in (("admitted", len(said) - len(bad)), ("rejected", len(bad))):
        figures[f"kubernetes_objects_{name}"] = int(str(figures.get(f"kubernetes_objects_{name}", 0))) + count
    assert said and not bad


@pytest.mark.parametrize("profile", [name for name in profiles() if rendered(name).of("RayService")])
def test_pods_of_ray_pass_pod_security_restricted(somewhere: Release, profile: str) -> None:
    """The test above covers pods of kinds that the API server knows; it cannot see through a RayService."""
    said = {pod.owner: _said(somewhere, _manifest(pod)) for pod in pods(rendered(profile)) if pod.owner.startswith("RayService")}
    assert said and not {owner: words for owner, words in said.items() if words}


def test_a_misspelt_field_is_refused(somewhere: Release) -> None:
    """So the tests above can fail."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}], "selectors": {"a": "b"}}}
    assert "selectors" in " ".join(_said(somewhere, service))


def test_a_pod_that_may_be_root_is_refused(somewhere: Release) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert "restricted" in " ".join(_said(somewhere, pod))
