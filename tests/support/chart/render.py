"""The chart, rendered in process by Helm's own code, and what the checks of tests/support/chart read out of it.

Profiles are the examples that ship and two more of the tests' own: between them every template is on once and off once.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[3]
CHART = Path(os.environ.get("A2_CHART") or ROOT / "charts" / "a2llm")  # another one: tests/bench/mutate_chart.py
RELEASE, NAMESPACE = "demo", "talk"
FULLNAME = f"{RELEASE}-a2llm"
Object = dict[str, Any]

EVERYTHING: Object = {
    "image": {"pullSecrets": ["pull"]},
    "gateway": {
        "autoscaling": {"mode": "keda"},
        "podAnnotations": {"a": "b"},
        "corsOrigins": ["https://a.example"],
        "settings": {"localNetworks": ["10.0.0.0/8"]},
        "serviceAccountAnnotations": {"who": "gateway"},
    },
    "inference": {
        "active": "green",
        "canary": {"version": "blue", "share": 0.05, "tenants": ["demo"]},
        "versions": {
            "blue": {"workerGroups": {"gpu": {"min": 2, "max": 3}}},
            "green": {
                "weights": {"persistentVolumeClaim": {"claimName": "weights-green"}},
                "settings": {"flameMapping": "/weights/flame.npz"},
                "workerGroups": {"gpu": {"min": 3}, "cpu": {"gpus": 0, "min": 0, "max": 2}},
            },
        },
    },
    "recorder": {"autoscaling": {"mode": "keda"}},
    "tenants": {"secretName": "tenants"},
    "redis": {"inChart": {"enabled": True}, "passwordSecret": {"name": "redis", "key": "password"}},
    "kafka": {
        "servers": "k0.data:9094",
        "tls": True,
        "caSecret": {"name": "kafka-ca"},
        "clientSecret": {"name": "kafka-client"},
        "mechanism": "SCRAM-SHA-512",
        "credentialsSecret": {"name": "kafka"},
    },
    "database": {
        "secret": {"name": "database", "key": "url"},
        "readOnlySecret": {"name": "reader", "key": "url"},
        "transcriptSecret": {"name": "writer", "key": "url"},
    },
    "telemetry": {"collector": {"tracesEndpoint": "tempo.monitoring:4317"}},
    "monitoring": {"monitors": True, "rules": True, "dashboards": True, "labels": {"release": "prometheus"}},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["avatar.example"]},
}
WITH_DATA: Object = {
    "redis": {"inChart": {"enabled": True}},
    "kafka": {"inChart": {"enabled": True}},
    "database": {"secret": {"name": "database", "key": "url"}},
    "recorder": {"autoscaling": {"mode": "keda"}},
}
OTHERWISE: Object = {
    "fullnameOverride": "own",
    "gateway": {"page": False, "autoscaling": {"mode": "hpa"}},
    "inference": {"mode": "standalone", "standalone": {"gpus": 1}},
    "redis": {
        "address": "s0.data:26379,s1.data:26379",
        "sentinel": "sessions",
        "serverPort": 6380,
        "tls": True,
        "caSecret": {"name": "redis-ca"},
        "clientSecret": {"name": "redis-client"},
        "username": "a2",
        "passwordSecret": {"name": "redis", "key": "password"},
    },
    "kafka": {"servers": "k0.data:9092,k1.data:9094", "createTopics": False},
    "database": {"secret": {"name": "database", "key": "url"}},
    "recorder": {"migrations": False},
    "telemetry": {"otlpEndpoint": "https://otlp.example", "caSecret": {"name": "otlp-ca"}},
    "ingress": {"enabled": True, "host": "avatar.example", "tlsSecret": "certificate"},
    "networkPolicy": {"gatewayFrom": [{"namespaceSelector": {"matchLabels": {"name": "edge"}}}]},
}


@cache
def profiles() -> dict[str, Object]:
    """Values by name."""
    examples = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(CHART.glob("values-*.yaml"))}
    return {**examples, "everything": EVERYTHING, "with-data": WITH_DATA, "otherwise": OTHERWISE}


@dataclass(frozen=True)
class Rendered:
    """Objects by the template that made them (its path below templates/), and the values."""

    by_template: dict[str, list[Object]]
    values: Object
    notes: str = ""

    @property
    def objects(self) -> list[Object]:
        return [each for found in self.by_template.values() for each in found]

    def of(self, *kinds: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] in kinds]

    @property
    def services(self) -> list[Object]:
        """Ours, and those that KubeRay makes of a RayService's `serveService`: it takes the port named `serve`, and selects workers."""
        return self.of("Service") + [_served(each) for each in self.of("RayService")]

    def one(self, kind: str, name: str) -> Object:
        """Finds an object of this release by the end of its name."""
        found = [each for each in self.of(kind) if each["metadata"]["name"].endswith(f"-{name}")]
        assert len(found) == 1, f"{len(found)} {kind} {name}"
        return found[0]

    @property
    def fullname(self) -> str:
        return self.values.get("fullnameOverride") or FULLNAME


def _served(service: Object) -> Object:
    """Builds the Service as KubeRay 1.5 does; the selector stands for `ray.io/cluster` of the active cluster, which nobody knows
    beforehand."""
    wanted, cluster = service["spec"]["serveService"], service["spec"]["rayClusterConfig"]
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    ports = [{"name": each["name"], "port": each["containerPort"]} for each in head["ports"] if each["name"] == "serve"]
    ports = ports or [each for each in wanted["spec"]["ports"] if each["name"] == "serve"]
    labels = cluster["workerGroupSpecs"][0]["template"]["metadata"]["labels"]
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": wanted["metadata"],
        "spec": {**wanted["spec"], "selector": labels, "ports": [{**each, "targetPort": each["port"]} for each in ports]},
    }


@contextmanager
def quiet() -> Iterator[None]:
    """Helm tells stderr of each link it follows."""
    kept = os.dup(2)
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def render(values: Object, chart: Path = CHART) -> Rendered:
    """Raises helm_python.HelmError for values that are refused and templates that fail."""
    with quiet(), helm_python.Chart.load(chart) as loaded:
        texts = loaded.render(values, name=RELEASE, namespace=NAMESPACE)
        merged = loaded.merge_values(values)
    prefix = "a2llm/templates/"
    notes = texts.pop(f"{prefix}NOTES.txt", "")
    objects = {name.removeprefix(prefix): [each for each in yaml.load_all(text, yaml.CSafeLoader) if each] for name, text in texts.items()}
    return Rendered({name: found for name, found in objects.items() if found}, merged, notes)


@cache
def rendered(profile: str) -> Rendered:
    """Once for all tests."""
    return render(profiles()[profile])


@dataclass(frozen=True)
class Pod:
    """A pod as its owner would make it. `lasting`: it runs until it is stopped, not until it is done."""

    owner: str
    labels: dict[str, str]
    spec: Object
    lasting: bool
    annotations: dict[str, str] = field(default_factory=dict)

    @property
    def containers(self) -> list[Object]:
        """Init containers too."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def component(self) -> str:
        return self.labels.get("app.kubernetes.io/component", "")


def pods(found: Rendered) -> list[Pod]:
    """Pods of every object that makes some."""
    return [pod for each in found.objects for pod in _pods_of(each)]


def _pods_of(each: Object) -> Iterator[Pod]:
    owner = f"{each['kind']} {each['metadata']['name']}"
    if each["kind"] == "RayService":
        cluster = each["spec"]["rayClusterConfig"]
        yield _pod(f"{owner} head", cluster["headGroupSpec"]["template"])
        for group in cluster["workerGroupSpecs"]:
            yield _pod(f"{owner} {group['groupName']}", group["template"])
    elif each["kind"] == "Pod":
        yield _pod(owner, each, lasting=False)
    elif each["kind"] in ("Deployment", "StatefulSet", "Job"):
        yield _pod(owner, each["spec"]["template"], lasting=each["kind"] != "Job")


def _pod(owner: str, template: Object, lasting: bool = True) -> Pod:
    meta = template.get("metadata") or {}
    return Pod(owner, meta.get("labels") or {}, template["spec"], lasting, meta.get("annotations") or {})


def environment(container: Object) -> dict[str, Any]:
    """Values by name; of a variable from elsewhere, where it is from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container.get("env", [])}
