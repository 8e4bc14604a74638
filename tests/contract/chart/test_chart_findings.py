"""Findings of a first day and a first week in a cluster, each as what must be so now (docs/kubernetes.md, "Findings")."""

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import helm_python
import pytest
from support.chart.render import CHART, ROOT, Object, Pod, Rendered, environment, pods, profiles, render, rendered

DATA: Object = {"redis": {"address": "r:6379"}, "kafka": {"servers": "k:9092"}, "database": {"secret": {"name": "d"}}}
OWN_ENV: Object = {
    "extraEnv": [{"name": "OWN", "value": "yes"}],
    "extraVolumes": [{"name": "own", "emptyDir": {"sizeLimit": "1Mi"}}],
    "extraVolumeMounts": [{"name": "own", "mountPath": "/own"}],
}
TRIAL_ONLY = {"redis", "kafka"}  # they come from others, for a trial
OF_HELM = {"test", "bounds", "farewell"}  # a request each


def chosen(**more: Any) -> Rendered:
    return render(DATA | more)


def everywhere(mode: str) -> Rendered:
    return chosen(
        gateway=OWN_ENV,
        recorder=OWN_ENV,
        inference={"mode": mode, "versionDefaults": OWN_ENV},
        telemetry={"collector": {"tracesEndpoint": "tempo:4317", **OWN_ENV}},
    )


@pytest.mark.parametrize("mode", ["ray", "standalone"])
def test_every_pod_takes_variables_and_volumes_of_ones_own(mode: str) -> None:
    kinds = set()
    for pod in pods(everywhere(mode)):
        if pod.component in OF_HELM:
            continue
        kinds.add(pod.component)
        assert {"name": "own", "emptyDir": {"sizeLimit": "1Mi"}} in pod.spec["volumes"], pod.owner
        for container in pod.containers:
            assert environment(container)["OWN"] == "yes", f"{pod.owner}/{container['name']}"
            assert {"name": "own", "mountPath": "/own"} in container["volumeMounts"]
    head = {"head"} if mode == "ray" else set[str]()
    assert kinds == {"gateway", "recorder", "migrations", "topics", "inference", "collector", *head}
    assert {pod.component for profile in profiles() for pod in pods(rendered(profile))} <= kinds | TRIAL_ONLY | OF_HELM | {"head"}


def test_a_variable_of_ones_own_counts_instead_of_the_charts() -> None:
    """Twice the same name, and the API server would refuse the pod."""
    own = [{"name": "A2_GATEWAY_LOG_LEVEL", "value": "DEBUG"}, {"name": "RAY_ROTATION_BACKUP_COUNT", "value": "1"}]
    for pod in pods(chosen(gateway={"extraEnv": own}, inference={"versionDefaults": {"extraEnv": own}})):
        for container in pod.containers:
            names = [each["name"] for each in container.get("env", [])]
            assert len(names) == len(set(names)), pod.owner
            if container["name"] in ("gateway", "ray-head", "ray-worker"):
                there = environment(container)
                assert (there["A2_GATEWAY_LOG_LEVEL"], there["RAY_ROTATION_BACKUP_COUNT"]) == ("DEBUG", "1")


def devices(**inference: Any) -> dict[str, str | None]:
    found = pods(chosen(inference=inference))
    return {container["name"]: environment(container).get("A2_INFERENCE_DEVICE") for pod in found for container in pod.containers}


def test_nothing_is_written_over_the_gpu_that_triton_was_given() -> None:
    """KIND_GPU then asks for cuda:N and fails loudly where there is none; `auto` would speak on the CPU and call itself ready."""
    assert devices()["triton"] is None
    assert devices(versionDefaults={"workerGroups": {"gpu": {"gpus": 0}}})["triton"] is None
    assert devices(versionDefaults={"settings": {"device": "cuda:0"}})["triton"] == "cuda:0"


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (1, "cuda")])
def test_standalone_is_told_its_device(gpus: int, device: str) -> None:
    assert devices(mode="standalone", standalone={"gpus": gpus})["inference"] == device


@pytest.mark.parametrize(
    ("inference", "said"),
    [
        ({"versionDefaults": {"settings": {"device": "auto"}}}, "would speak on the CPU"),
        ({"versionDefaults": {"settings": {"device": "cpu"}}}, "worker group gpu has 1 GPUs"),
        ({"versionDefaults": {"settings": {"device": "cuda"}, "workerGroups": {"gpu": {"gpus": 0}}}}, "worker group gpu has 0 GPUs"),
        ({"mode": "standalone", "versionDefaults": {"settings": {"device": "cuda"}}}, "`standalone.gpus` is 0"),
    ],
)
def test_a_device_that_the_pod_has_not_is_refused(inference: Object, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match=said):
        chosen(inference=inference)


@pytest.mark.parametrize("profile", ["values-eks", "values-gke", "values-airgap"])
def test_an_installation_waits_for_no_secret_that_it_brings_itself(profile: str) -> None:
    """A hook before the first installation would wait for a Secret that External Secrets makes of an object of the same release."""
    for each in rendered(profile).objects:
        hooks = each["metadata"].get("annotations", {}).get("helm.sh/hook", "")
        assert "pre-install" not in hooks, each["metadata"]["name"]


def test_hooks_end_before_helm_gives_up() -> None:
    """Unless the example says how long Helm should wait."""
    for profile in profiles():
        example = CHART / f"{profile}.yaml"
        patience = 900 if example.exists() and "--timeout 15m" in example.read_text() else 300
        assert 30 <= rendered(profile).values["hookSeconds"] < patience, profile


def test_a_recorder_makes_its_tables_when_it_starts() -> None:
    """The first installation needs no Job, because the recorder migrates by itself."""
    assert ".migrate()" in (ROOT / "services" / "a2serve" / "recorder" / "program.py").read_text()


def test_notes_warn_of_a_registry_that_nobody_fills() -> None:
    warned = "nobody publishes images at ghcr.io/a2llm"
    assert warned in rendered("values-trial").notes and warned not in rendered("values-airgap").notes
    assert warned not in chosen(image={"registry": "r.example/a"}).notes


def test_notes_say_https_where_a_load_balancer_ends_it() -> None:
    assert "https://avatar.example.com" in rendered("values-eks").notes
    assert "http://a.example" in chosen(ingress={"enabled": True, "host": "a.example"}).notes


def scaled(mode: str) -> Object:
    return chosen(gateway={"autoscaling": {"mode": mode}}).by_template["gateway/scaling.yaml"][0]["spec"]


def test_gateways_scale_by_their_own_load_and_not_by_the_models() -> None:
    """The model's latency is the same with more gateways: 3 -> 40 in three minutes, and each of them drains its sockets later."""
    triggers = {each["name"]: each for each in scaled("keda")["triggers"]}
    assert triggers.keys() == {"sessions", "cpus", "loop-lag"}
    for each in triggers.values():
        assert each["metricType"] == "AverageValue", "an average settles when there are more; a value multiplies"
        assert "first_packet" not in each["metadata"]["query"] and "inference" not in each["metadata"]["query"]
    lag = triggers["loop-lag"]["metadata"]
    assert f"{2 * float(lag['threshold'])})" in lag["query"] and "clamp_max" in lag["query"], "twice as many at the most, at a time"
    kinds = [each["type"] for each in scaled("hpa")["metrics"]]
    assert kinds == ["Pods", "Resource"]


def test_readiness_of_a_gateway_is_asked_of_the_gateway_alone() -> None:
    """Everywhere the same question: /readyz, which stays 200 while Redis or the model is away for a while."""
    for profile in ("values-gke", "values-eks"):
        found = rendered(profile)
        [container] = found.one("Deployment", "gateway")["spec"]["template"]["spec"]["containers"]
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        asked = [each["spec"]["default"]["config"]["httpHealthCheck"]["requestPath"] for each in found.of("HealthCheckPolicy")]
        annotations = [item for each in found.of("Ingress") for item in each["metadata"]["annotations"].items()]
        asked += [value for key, value in annotations if key.endswith("healthcheck-path")]
        assert asked == ["/readyz"]


@pytest.mark.parametrize(("inference", "code"), [("ok", 0), ("unreachable (UNAVAILABLE)", 1)])
def test_helm_test_asks_what_is_reached_now(inference: str, code: int, tmp_path: Path) -> None:
    """Its own program, once instead of sixty times; readiness alone would not tell, since it lasts."""
    [container] = rendered("values-trial").one("Pod", "test")["spec"]["containers"]
    (tmp_path / "statusz").write_text(f'{{"ready": true, "redis": "ok", "inference": "{inference}"}}')
    program = container["command"][2].replace("http://demo-a2llm-gateway/", f"{tmp_path.as_uri()}/").replace("range(60)", "range(1)")
    assert "file://" in program
    done = subprocess.run([sys.executable, "-c", program.replace("time.sleep(5)", "pass")], capture_output=True, text=True, timeout=30)
    assert (done.returncode, inference in done.stdout) == (code, True), done.stderr


def test_a_budget_over_ray_workers_is_a_number() -> None:
    """For a share or maxUnavailable Kubernetes asks a RayCluster for its scale, which it has not: no pod could be evicted then."""
    budgets = rendered("everything").by_template["inference/disruption.yaml"]
    assert budgets
    for each in budgets:
        assert isinstance(each["spec"]["minAvailable"], int) and "maxUnavailable" not in each["spec"]


def test_gateways_find_the_active_cluster_alone_and_every_worker_of_it() -> None:
    """A Service of ours would select workers of both clusters while an upgrade fills the second."""
    found = rendered("everything")
    ours = [each["metadata"]["name"] for each in found.of("Service") if "inference" in each["metadata"]["name"]]
    assert ours == []
    for service in found.of("RayService"):
        wanted = service["spec"]["serveService"]
        assert wanted["metadata"]["name"] == service["metadata"]["name"]
        assert wanted["spec"]["clusterIP"] == "None" and "selector" not in wanted["spec"], "KubeRay writes its own"


def test_the_head_mounts_no_weights() -> None:
    """A claim may be at one node at a time, and the head loads none."""
    for pod in pods(rendered("values-airgap")):
        volumes = [each["name"] for each in pod.spec["volumes"]]
        assert ("weights" in volumes) == (pod.component == "inference"), pod.owner


def workers(found: Rendered) -> list[Pod]:
    return [pod for pod in pods(found) if pod.component == "inference"]


def test_workers_are_spread_over_zones_and_nodes() -> None:
    for pod in workers(rendered("everything")):
        keys = [each["topologyKey"] for each in pod.spec["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    own = {"pod": {"topologySpreadConstraints": [{"maxSkew": 2}]}}
    assert [pod.spec["topologySpreadConstraints"] for pod in workers(chosen(inference={"workerGroupDefaults": own}))] == [[{"maxSkew": 2}]]


def test_numbers_carry_pod_and_model_version() -> None:
    found = rendered("everything")
    for monitor in found.of("ServiceMonitor", "PodMonitor"):
        for endpoint in monitor["spec"].get("endpoints", []) + monitor["spec"].get("podMetricsEndpoints", []):
            assert [each["targetLabel"] for each in endpoint["relabelings"]] == ["pod", "a2llm_version"], monitor["metadata"]["name"]
            labels = [label for each in endpoint["relabelings"] for label in each["sourceLabels"]]
            assert labels == ["__meta_kubernetes_pod_name", "__meta_kubernetes_pod_label_a2llm_version"]
    labels = {pod.component: pod.labels.get("a2llm/version") for pod in pods(found)}
    assert labels["gateway"] == "green" and labels["inference"] and labels["head"]


def test_buckets_reach_as_far_as_slots() -> None:
    from a2serve.inference.settings import InferenceSettings
    from a2serve.telemetry.names import BUCKETS_BATCH

    [most] = [each.le for each in InferenceSettings.model_fields["slots"].metadata if hasattr(each, "le")]
    assert BUCKETS_BATCH[-1] >= most


def test_a_deployment_may_be_rolled_when_a_secret_changes() -> None:
    reloader = {"reloader.stakater.com/auto": "true"}
    found = chosen(gateway={"annotations": reloader}, recorder={"annotations": reloader})
    assert [found.one("Deployment", name)["metadata"]["annotations"] for name in ("gateway", "recorder")] == [reloader, reloader]
    assert rendered("values-eks").one("Deployment", "gateway")["metadata"]["annotations"] == reloader


def test_redis_is_reached_behind_sentinels_or_as_a_cluster_and_by_ray_at_one_address() -> None:
    secrets = {
        "tls": True,
        "username": "a2",
        "passwordSecret": {"name": "redis"},
        "caSecret": {"name": "ca"},
        "clientSecret": {"name": "own"},
    }
    found = chosen(redis={"address": "c0:7000,c1:7001", "cluster": True, "rayAddress": "ray:6380", **secrets})
    env = environment(found.one("Deployment", "gateway")["spec"]["template"]["spec"]["containers"][0])
    assert env["A2_GATEWAY_REDIS_URL"] == "rediss://c0:7000,c1:7001/0" and env["A2_GATEWAY_REDIS_CLUSTER"] == "true"
    for service in found.of("RayService"):
        options = service["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]
        assert options["redisAddress"] == "rediss://ray:6380" and options["redisUsername"] == {"value": "a2"}
    for pod in (each for each in pods(found) if each.component in ("head", "inference")):
        for ray in (each for each in pod.containers if each["name"].startswith("ray-")):
            _has_redis_files(ray)
    _has_redis_files(found.one("Job", "farewell")["spec"]["template"]["spec"]["containers"][0])


def _has_redis_files(container: Object) -> None:
    """Those of Ray's own client."""
    files = {name: value for name, value in environment(container).items() if name.startswith("RAY_REDIS_") and name != "RAY_REDIS_ADDRESS"}
    assert files.keys() == {"RAY_REDIS_CA_CERT", "RAY_REDIS_CLIENT_CERT", "RAY_REDIS_CLIENT_KEY"}
    mounts = {each["mountPath"]: each["name"] for each in container["volumeMounts"]}
    assert all(mounts[value.rpartition("/")[0]] in ("redis-ca", "redis-client") for value in files.values())


def test_a_rotated_redis_password_needs_no_restart() -> None:
    """A file changes in a running pod, a variable never does; and no URL holds it."""
    for profile in ("everything", "otherwise", "values-eks"):
        pod = rendered(profile).one("Deployment", "gateway")["spec"]["template"]["spec"]
        env = environment(pod["containers"][0])
        assert env["A2_GATEWAY_REDIS_PASSWORD_FILE"] == "/etc/redis/password" and "REDIS_PASSWORD" not in env
        assert "@" not in env["A2_GATEWAY_REDIS_URL"]
        assert {"name": "redis", "mountPath": "/etc/redis", "readOnly": True} in pod["containers"][0]["volumeMounts"]


def test_who_mounts_one_sqlite_volume_is_on_one_node() -> None:
    """Each wants to be beside any of the two, itself counted: the first goes anywhere, so neither waits for the other."""
    for pod in (each for each in pods(rendered("values-trial")) if each.component in ("gateway", "recorder")):
        [term] = pod.spec["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        [both] = term["labelSelector"]["matchExpressions"]
        assert term["topologyKey"] == "kubernetes.io/hostname" and both["values"] == ["gateway", "recorder"]
        assert term["labelSelector"]["matchLabels"].items() <= pod.labels.items() and pod.component in both["values"]
    assert all("affinity" not in pod.spec for pod in pods(rendered("with-data")))


def test_values_are_not_changed_by_rendering() -> None:
    """Helpers merge into copies."""
    values = copy.deepcopy(profiles()["everything"])
    render(values)
    assert values == profiles()["everything"]
