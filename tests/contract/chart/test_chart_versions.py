"""Two model versions beside each other, step by step as docs/kubernetes.md says it: deploy green, switch, go back, remove blue."""

from typing import Any

import helm_python
import pytest
import yaml
from support.chart.graph import selected_pods
from support.chart.render import Object, Rendered, environment, pods, render, rendered

BASE: Object = {
    "redis": {"address": "redis:6379"},
    "kafka": {"servers": "kafka:9092"},
    "database": {"secret": {"name": "database", "key": "url"}},
}
GREEN: Object = {
    "image": {"tag": "0.2.0"},
    "weights": {"persistentVolumeClaim": {"claimName": "weights-2"}},
    "workerGroups": {"gpu": {"max": 2}},
}
ONLY_BLUE, BOTH = {"blue": {}}, {"blue": {}, "green": GREEN}
ONLY_GREEN: Object = {"blue": None, "green": GREEN}


def stage(versions: Any, active: str, mode: str = "ray") -> Rendered:
    return render(BASE | {"inference": {"mode": mode, "versions": versions, "active": active}})


def named(found: Rendered, kind: str, end: str) -> Object:
    return found.one(kind, end)


def gateway(found: Rendered) -> Object:
    return named(found, "Deployment", "gateway")


def test_green_comes_without_touching_blue_or_the_gateways() -> None:
    before, after = stage(ONLY_BLUE, "blue"), stage(BOTH, "blue")
    assert named(after, "RayService", "blue") == named(before, "RayService", "blue")
    assert gateway(after) == gateway(before)


def test_switching_changes_the_gateways_and_nothing_else() -> None:
    before, after = stage(BOTH, "blue"), stage(BOTH, "green")
    changed = [new for old, new in zip(before.objects, after.objects, strict=True) if old != new]
    assert changed == [gateway(after)]
    old, new = (gateway(found)["spec"]["template"]["spec"]["containers"][0] for found in (before, after))
    assert {name for name, value in environment(new).items() if environment(old)[name] != value} == {"A2_GATEWAY_INFERENCE"}
    assert environment(new)["A2_GATEWAY_INFERENCE"] == "demo-a2llm-inference-green:50051"
    assert gateway(after)["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0, "sessions always have somewhere to resume"


def test_a_canary_changes_the_gateways_and_nothing_else() -> None:
    values: Object = BASE | {
        "inference": {"versions": BOTH, "active": "blue", "canary": {"version": "green", "share": 0.1, "tenants": ["a"]}}
    }
    before, after = stage(BOTH, "blue"), render(values)
    changed = [new for old, new in zip(before.objects, after.objects, strict=True) if old != new]
    assert changed == [gateway(after)]
    old, new = (environment(gateway(found)["spec"]["template"]["spec"]["containers"][0]) for found in (before, after))
    assert {name: value for name, value in new.items() if old.get(name) != value} == {
        "A2_GATEWAY_CANARY": "demo-a2llm-inference-green:50051",
        "A2_GATEWAY_CANARY_SHARE": "0.1",
        "A2_GATEWAY_CANARY_TENANTS": '["a"]',
    }


@pytest.mark.parametrize(
    ("canary", "said"),
    [
        ({"version": "red", "share": 0.1}, "must be one of `versions`"),
        ({"version": "blue", "share": 0.1}, "not the active one"),
        ({"version": "green"}, "a `share` above 0, or `tenants`"),
        ({"share": 0.1}, "a `share` above 0, or `tenants`"),
    ],
)
def test_a_canary_that_cannot_be_is_refused(canary: Object, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        render(BASE | {"inference": {"versions": BOTH, "active": "blue", "canary": canary}})


def test_going_back_is_the_same_step_the_other_way() -> None:
    assert stage(BOTH, "blue").objects == stage(BOTH, "blue").objects
    assert gateway(stage(BOTH, "green")) != gateway(stage(BOTH, "blue"))


def test_a_session_stays_with_its_version() -> None:
    """A gateway knows one version, a version's Service its own workers: no call can stray, whatever HAProxy or Ray do."""
    found = stage(BOTH, "green")
    for version in ("blue", "green"):
        [service] = [each for each in found.services if each["metadata"]["name"] == f"demo-a2llm-inference-{version}"]
        chosen = selected_pods(found, service["spec"]["selector"])
        assert [(pod.component, pod.labels["a2llm/version"]) for pod in chosen] == [("inference", version)]
    for pod in pods(found):
        if pod.component == "inference":
            assert "hdr(session-id)" in environment(pod.spec["containers"][0])["RAY_SERVE_HAPROXY_BALANCE_ALGORITHM"]


def test_versions_differ_in_what_their_entries_say() -> None:
    found = stage(BOTH, "green")
    blue, green = (named(found, "RayService", version)["spec"] for version in ("blue", "green"))
    images = [spec["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"][0]["image"] for spec in (blue, green)]
    assert images == ["ghcr.io/a2llm/inference:0.1.0", "ghcr.io/a2llm/inference:0.2.0"]
    assert [_bounds(spec) for spec in (blue, green)] == [(1, 4), (1, 2)]
    worker = green["rayClusterConfig"]["workerGroupSpecs"][0]["template"]["spec"]
    for container in (worker["containers"][0], worker["initContainers"][0]):
        assert environment(container)["A2_INFERENCE_MODEL_FOLDER"] == "/weights"
        assert {"name": "weights", "mountPath": "/weights", "readOnly": True} in container["volumeMounts"]


def _bounds(spec: Object) -> tuple[int, int]:
    [application] = yaml.safe_load(spec["serveConfigV2"])["applications"]
    scaling = application["deployments"][0]["autoscaling_config"]
    return scaling["min_replicas"], scaling["max_replicas"]


def test_removing_blue_leaves_nothing_of_it() -> None:
    found = stage(ONLY_GREEN, "green")
    assert "blue" not in yaml.safe_dump(found.objects)
    assert named(found, "RayService", "green") == named(stage(BOTH, "green"), "RayService", "green")


def test_more_workers_need_no_new_cluster() -> None:
    """KubeRay makes a second cluster when the first one's spec changes otherwise than in the numbers of its workers."""
    wider = stage({"blue": {"workerGroups": {"gpu": {"max": 9}}}}, "blue")
    clusters = [named(found, "RayService", "blue")["spec"] for found in (stage(ONLY_BLUE, "blue"), wider)]
    assert [_bounds(spec) for spec in clusters] == [(1, 4), (1, 9)]
    for spec in clusters:
        for group in spec["rayClusterConfig"]["workerGroupSpecs"]:
            del group["maxReplicas"]
    assert clusters[0]["rayClusterConfig"] == clusters[1]["rayClusterConfig"]


def test_a_new_chart_starts_no_pod_anew() -> None:
    """Pods carry no label that a release of the chart alone would change."""
    for profile in ("everything", "values-trial"):
        for pod in pods(rendered(profile)):
            assert not pod.lasting or not {"helm.sh/chart", "app.kubernetes.io/version"} & pod.labels.keys(), pod.owner


def test_standalone_has_versions_too() -> None:
    found = stage(BOTH, "green", mode="standalone")
    assert {each["metadata"]["name"] for each in found.of("Deployment") if "-inference-" in each["metadata"]["name"]} == {
        "demo-a2llm-inference-blue",
        "demo-a2llm-inference-green",
    }
    for version in ("blue", "green"):
        chosen = selected_pods(found, named(found, "Service", f"inference-{version}")["spec"]["selector"])
        assert [pod.labels["a2llm/version"] for pod in chosen] == [version]
