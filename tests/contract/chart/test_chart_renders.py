"""The chart as Helm sees it: linted, packaged, refused where values are wrong; every template off, then on."""

import tarfile
from pathlib import Path
from typing import Any

import helm_python
import pytest
from support.chart.render import CHART, Object, Rendered, profiles, quiet, render, rendered

MINIMAL: Object = {
    "redis": {"address": "redis:6379"},
    "kafka": {"servers": "kafka:9092"},
    "database": {"secret": {"name": "database", "key": "url"}},
}


def minimal(**more: Any) -> Rendered:
    return render(MINIMAL | more)


@pytest.mark.parametrize("profile", profiles())
def test_lint_is_clean(profile: str) -> None:
    with quiet():
        report = helm_python.lint(CHART, profiles()[profile], strict=True)
    said = [message["error"] for message in report["messages"] if message["error"] != "icon is recommended"]
    assert (said, report["errors"]) == ([], [])


def test_package_holds_what_links_lead_to(tmp_path: Path) -> None:
    with quiet():
        archive = helm_python.package(CHART, destination=tmp_path)
    with tarfile.open(archive) as tar:
        names = {member.name.removeprefix("a2llm/"): member for member in tar.getmembers()}
        linked = tar.extractfile("a2llm/files/collector.yaml")
        assert linked is not None and linked.read() == (CHART / "files" / "collector.yaml").read_bytes()
    assert all(member.isfile() for member in names.values())
    assert {"files/kafka/topics.yaml", "files/rules/slo.yaml", "values.schema.json", "README.md", "values-trial.yaml"} <= names.keys()
    with quiet(), helm_python.Chart.load(archive) as packaged:
        assert packaged.render(profiles()["values-trial"], name="demo", namespace="talk")


def test_the_same_values_make_the_same_text() -> None:
    """Go's maps have no order: a template that forgets it would change pods at every upgrade."""
    with quiet(), helm_python.Chart.load(CHART) as chart:
        texts = [chart.render(profiles()["everything"], name="demo", namespace="talk") for _ in range(5)]
    assert all(text == texts[0] for text in texts)


def test_every_template_is_on_somewhere() -> None:
    made = set().union(*(rendered(profile).by_template for profile in profiles()))
    templates = {str(path.relative_to(CHART / "templates")) for path in CHART.glob("templates/**/*.yaml")}
    assert templates - made == {"validate.yaml"}, "it renders nothing; the test of the mistakes is its own"


def count(pattern: str) -> int:
    return len([*CHART.glob(f"files/{pattern}")])


RAY, STANDALONE = {"mode": "ray"}, {"mode": "standalone"}
OWN = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-own"}}
COLLECTOR = {"collector": {"tracesEndpoint": "tempo:4317"}}
# template: values with which it is off, values with which it is on, what it then makes
SWITCHED: dict[str, tuple[Object, Object, list[str]]] = {
    "gateway/scaling.yaml": ({}, {"gateway": {"autoscaling": {"mode": "keda"}}}, ["ScaledObject"]),
    "gateway/disruption.yaml": ({"gateway": {"replicas": 1}}, {}, ["PodDisruptionBudget"]),
    "gateway/route.yaml": ({}, {"ingress": {"enabled": True, "host": "a.example"}}, ["Ingress"]),
    "inference/rayservice.yaml": ({"inference": STANDALONE}, {"inference": RAY}, ["RayService"]),
    "inference/standalone.yaml": ({"inference": RAY}, {"inference": STANDALONE}, ["Deployment"]),
    "inference/service.yaml": ({"inference": RAY}, {"inference": STANDALONE}, ["Service"]),
    "hooks/cluster.yaml": ({"inference": STANDALONE}, {"inference": RAY}, ["Job", "Job"]),
    "access/roles.yaml": ({"inference": STANDALONE}, {"inference": RAY}, ["ServiceAccount", "Role", "RoleBinding"] * 2),
    "inference/disruption.yaml": ({}, {"inference": {"versionDefaults": {"workerGroups": {"gpu": {"min": 2}}}}}, ["PodDisruptionBudget"]),
    "recorder/scaling.yaml": ({}, {"recorder": {"autoscaling": {"mode": "keda"}}}, ["ScaledObject"]),
    "recorder/migrations.yaml": ({"recorder": {"migrations": False}}, {}, ["Job"]),
    "recorder/topics.yaml": ({"kafka": {"servers": "k:9092", "createTopics": False}}, {}, ["Job"]),
    "recorder/volume.yaml": ({}, {"database": {"sqlite": {"enabled": True}}}, ["PersistentVolumeClaim"]),
    "data/redis.yaml": ({}, {"redis": {"inChart": {"enabled": True}}}, ["StatefulSet", "Service"]),
    "data/kafka.yaml": ({}, {"kafka": {"inChart": {"enabled": True}}}, ["ConfigMap", "StatefulSet", "Service"]),
    "observability/collector.yaml": (
        {"telemetry": {"otlpEndpoint": "http://own:4318", **COLLECTOR}},
        {"telemetry": COLLECTOR},
        ["ConfigMap", "Deployment", "Service"],
    ),
    "observability/monitors.yaml": ({}, {"monitoring": {"monitors": True}}, ["ServiceMonitor", "PodMonitor", "PodMonitor", "PodMonitor"]),
    "observability/rules.yaml": ({}, {"monitoring": {"rules": True}}, ["PrometheusRule"] * count("rules/*.yaml")),
    "observability/dashboards.yaml": ({}, {"monitoring": {"dashboards": True}}, ["ConfigMap"] * count("dashboards/*.json")),
    "access/network.yaml": (
        {"networkPolicy": {"enabled": False}},
        {"kafka": {"servers": "k:9092", "createTopics": False}},
        ["NetworkPolicy"] * 9,
    ),
    "extra.yaml": ({}, {"extraObjects": [OWN]}, ["ConfigMap"]),
}
ALWAYS = {
    "access/accounts.yaml",
    "gateway/deployment.yaml",
    "gateway/service.yaml",
    "recorder/deployment.yaml",
    "test.yaml",
}


@pytest.mark.parametrize("template", SWITCHED)
def test_template_off_then_on(template: str) -> None:
    off, on, kinds = SWITCHED[template]
    assert template not in minimal(**off).by_template
    if template == "data/redis.yaml" or template == "data/kafka.yaml" or template == "recorder/volume.yaml":
        [name] = on
        found = render({key: value for key, value in MINIMAL.items() if key != name} | on)
    else:
        found = minimal(**on)
    assert [each["kind"] for each in found.by_template[template]] == kinds


def test_templates_that_are_always_on() -> None:
    everything_off = minimal(
        gateway={"replicas": 1},
        recorder={"migrations": False},
        networkPolicy={"enabled": False},
        kafka={"servers": "k:9092", "createTopics": False},
        inference=STANDALONE,
    )
    assert everything_off.by_template.keys() == ALWAYS | {"inference/standalone.yaml", "inference/service.yaml"}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gateway": {"replica": 3}}, "additional properties 'replica' not allowed"),
        ({"gateway": {"autoscaling": {"mode": "vpa"}}}, "must be one of 'none', 'keda', 'hpa'"),
        ({"recorder": {"replicas": 13}}, "12"),
        ({"redis": {"address": "redis"}}, "does not match pattern"),
        ({"gateway": {"image": {"tag": "latest"}}}, "not"),
        ({"gateway": {"pod": {"hostNetwork": True}}}, "additional properties 'hostNetwork' not allowed"),
        ({"inference": {"versions": {"Blue": {}}}}, "additional properties 'Blue' not allowed"),
        ({"inference": {"versions": {"blue": {"slots": 3}}}}, "additional properties 'slots' not allowed"),
        ({"inference": {"versions": {"blue": {"workerGroups": {"gpu": {"gpu": 2}}}}}}, "additional properties 'gpu' not allowed"),
    ],
)
def test_schema_refuses_and_says_what(values: Object, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match="values") as refused:
        minimal(**values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "give `redis.address`"),
        (MINIMAL | {"redis": {"address": "r:1", "inChart": {"enabled": True}}}, "not both"),
        (MINIMAL | {"redis": {"address": "r:1,s:1"}}, "several addresses are Sentinels"),
        (MINIMAL | {"redis": {"address": "r:1", "sentinel": "s", "cluster": True}}, "exclude each other"),
        (MINIMAL | {"redis": {"address": "r:1", "sentinel": "s"}}, "know neither Sentinels nor clusters"),
        (MINIMAL | {"redis": {"inChart": {"enabled": True}, "cluster": True, "rayAddress": "r:1"}}, "`inChart` is one server"),
        (MINIMAL | {"redis": {"address": "r:1", "caSecret": {"name": "ca"}}}, "no use without `tls`"),
        (MINIMAL | {"telemetry": {"otlpEndpoint": "http://o:4318", "caSecret": {"name": "ca"}}}, "begins with https://"),
        (MINIMAL | {"redis": {"address": "r:1", "username": "a"}}, "`username` needs"),
        (MINIMAL | {"database": {"sqlite": {"enabled": True}}, "recorder": {"replicas": 2}}, "one writer"),
        (MINIMAL | {"kafka": {"servers": "k:9094", "mechanism": "PLAIN"}}, "`mechanism` and `credentialsSecret` go together"),
        (MINIMAL | {"kafka": {"servers": "k:9094", "caSecret": {"name": "ca"}}}, "no use without `tls`"),
        (MINIMAL | {"kafka": {"servers": "k:9094", "clientSecret": {"name": "own"}}}, "no use without `tls`"),
        (MINIMAL | {"inference": {"active": "green"}}, '`active` is "green", but `versions` has blue'),
        (MINIMAL | {"inference": {"versions": {"blue": {"workerGroups": {"gpu": None}}}}}, "no worker group"),
        (MINIMAL | {"inference": {"versionDefaults": {"workerGroups": {"gpu": {"min": 9}}}}}, "more workers at the least"),
        (MINIMAL | {"gateway": {"autoscaling": {"min": 30}}}, "above `autoscaling.max`"),
        (MINIMAL | {"httpRoute": {"enabled": True}}, "names no Gateway"),
        (MINIMAL | {"httpRoute": {"enabled": True, "parentRefs": [{"name": "g"}]}, "ingress": {"enabled": True}}, "choose one way in"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(values: Object, said: str) -> None:
    with pytest.raises(helm_python.HelmError, match="do not fit together") as refused:
        render(values)
    assert said in str(refused.value)


def test_notes_say_what_to_do_next() -> None:
    trial, everything = rendered("values-trial").notes, rendered("everything").notes
    assert (
        "port-forward svc/demo-a2llm-gateway 8080:80" in trial
        and "Profile local" in trial
        and "For a trial only: Valkey, Kafka, SQLite" in trial
    )
    assert "https://avatar.example" in everything and "model version green" in everything
    assert "Nobody has a key yet" in rendered("otherwise").notes
