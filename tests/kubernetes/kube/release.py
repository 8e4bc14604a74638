"""A release of the chart in a namespace of its own, with what its documentation wants there first."""

import re
import shlex
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from support.chart.render import CHART, ROOT, render

from kube import look
from kube.api import Api, Object, Refused
from kube.cluster import Cluster, Done
from kube.nodes import add_volumes, remove_volumes
from kube.processes import until

NAME = "a2llm"
DOCUMENT = ROOT / "docs" / "kubernetes.md"
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
SETTLED_S, LOOK_S = 150.0, 0.5
SECRET_VALUE = "x"  # of every key
# docs/kubernetes.md, "What has to be there": Secrets are made by you. (value that names it, values that name its keys or the keys.)
SECRETS = (
    ("tenants.secretName", ("tenants.key",)),
    ("redis.passwordSecret.name", ("redis.passwordSecret.key",)),
    ("database.secret.name", ("database.secret.key",)),
    ("database.readOnlySecret.name", ("database.readOnlySecret.key",)),
    ("kafka.caSecret.name", ("kafka.caSecret.key",)),
    ("kafka.credentialsSecret.name", ("kafka.credentialsSecret.usernameKey", "kafka.credentialsSecret.passwordKey")),
)


def example(name: str) -> Object:
    """values-NAME.yaml; empty for the defaults."""
    return yaml.safe_load((CHART / f"values-{name}.yaml").read_text()) if name else {}


def merged(*values: Object) -> Object:
    """Merges values as Helm merges files: later ones win, key by key."""
    found: Object = {}
    for each in values:
        for key, value in each.items():
            found[key] = merged(found[key], value) if isinstance(value, dict) and isinstance(found.get(key), dict) else value
    return found


def secrets_of(values: Object) -> dict[str, set[str]]:
    """Name and keys of the Secrets that the documentation says are yours to make."""
    known, found = render(values).values, {}
    for name, keys in SECRETS:
        if secret := _at(known, name):
            found.setdefault(secret, set()).update(_at(known, key) for key in keys)
    return found


def _at(values: Object, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values


class Release:
    """The release of one namespace. Its methods raise AssertionError with Helm's words if Helm fails."""

    def __init__(self, cluster: Cluster, namespace: str, folder: Path) -> None:
        self.cluster, self.api, self.namespace, self._folder = cluster, cluster.api, namespace, folder
        self.values: Object = {}

    def install(self, *values: Object, wants: bool = True, timeout_s: int = 120) -> Done:
        """wants=False: Helm is expected to fail."""
        self.values = merged(*values)
        return self._expect(wants, self._helm("install", self.values, timeout_s))

    def upgrade(self, *values: Object, wants: bool = True, timeout_s: int = 120, chart: Path = CHART) -> Done:
        """With the whole file again, and these over it, which stay where it goes well."""
        wanted = merged(self.values, *values)
        done = self._expect(wants, self._helm("upgrade", wanted, timeout_s, chart))
        self.values = wanted if wants else self.values
        return done

    def rollback(self, *flags: str) -> Done:
        return self._expect(True, self.cluster.helm("rollback", NAME, *flags, "--namespace", self.namespace))

    def uninstall(self) -> Done:
        return self._expect(True, self.cluster.helm("uninstall", NAME, "--namespace", self.namespace, "--timeout", "120s"))

    def installing(self, *values: Object, timeout_s: int = 120) -> subprocess.Popen[str]:
        """In the background."""
        self.values = merged(*values)
        command = [self.cluster.program("helm"), *self._words("install", self.values, timeout_s)]
        return subprocess.Popen(command, env=self.cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def _helm(self, verb: str, values: Object, timeout_s: int, chart: Path = CHART) -> Done:
        return self.cluster.helm(*self._words(verb, values, timeout_s, chart), within_s=timeout_s + 60)

    def _words(self, verb: str, values: Object, timeout_s: int, chart: Path = CHART) -> list[str]:
        return [verb, NAME, str(chart), "-f", str(self.written(values)), "--namespace", self.namespace, "--timeout", f"{timeout_s}s"]

    def written(self, values: Object) -> Path:
        """A file for `helm -f`."""
        file = self._folder / f"values-{uuid.uuid4().hex[:6]}.yaml"
        file.write_text(yaml.safe_dump(values))
        return file

    @staticmethod
    def _expect(well: bool, done: Done) -> Done:
        assert (done.returncode == 0) == well, f"{' '.join(map(str, done.args))}\n{done.stdout}\n{done.stderr}"
        return done

    def make_secrets(self, *values: Object) -> None:
        for name, keys in secrets_of(merged(*values)).items():
            self.make_secret(name, keys)

    def make_secret(self, name: str, keys: set[str]) -> None:
        self.api.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict.fromkeys(sorted(keys), SECRET_VALUE)},
            self.namespace,
        )

    def make_claims(self, *values: Object) -> None:
        """Makes claims of the weights that the versions name: many nodes read them."""
        for version in (merged(*values).get("inference", {}).get("versions") or {}).values():
            if claim := (version or {}).get("weights", {}).get("persistentVolumeClaim"):
                spec = {"accessModes": ["ReadOnlyMany"], "resources": {"requests": {"storage": "1Gi"}}}
                self.api.apply(
                    {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": claim["claimName"]}, "spec": spec},
                    self.namespace,
                )

    def ready(self, *values: Object) -> "Release":
        """Secrets and claims first, then the chart, then until all runs."""
        self.make_secrets(*values)
        self.make_claims(*values)
        self.install(*values)
        self.settled()
        return self

    def settled(self, within_s: float = SETTLED_S) -> None:
        """All pods ready, all rollouts and Ray's upgrades through. Raises AssertionError with what is not."""
        last_s = time.monotonic() + within_s
        while problems := look.unsettled(self.api, self.namespace):
            assert time.monotonic() < last_s, f"not settled within {within_s:.0f} s:\n" + "\n".join(problems)
            time.sleep(LOOK_S)

    def pods(self, component: str = "", ray: str = "") -> list[Object]:
        """Those that are not on their way out. ray: head or worker, of all Ray clusters."""
        labels = {"app.kubernetes.io/component": component, "ray.io/node-type": ray}
        found = self.api.items("pods", self.namespace, ",".join(f"{name}={value}" for name, value in labels.items() if value))
        return [
            pod for pod in found if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") not in ("Succeeded", "Failed")
        ]

    def names(self, component: str = "", ray: str = "") -> set[str]:
        return {pod["metadata"]["name"] for pod in self.pods(component, ray)}

    def clusters(self) -> dict[str, Object]:
        return {each["metadata"]["name"]: each for each in self.api.items("rayclusters", self.namespace)}

    def deployment(self, component: str) -> Object:
        return self.api.get("deployments", self.namespace, f"{NAME}-{component}")

    def scale_workers(self, cluster: str, replicas: int) -> None:
        """Scales as Ray's autoscaler does: the number and who goes, in the first group of the RayCluster."""
        surplus = sorted(self.names(ray="worker"))[replicas:]
        change = [
            {"op": "add", "path": "/spec/workerGroupSpecs/0/replicas", "value": replicas},
            {"op": "add", "path": "/spec/workerGroupSpecs/0/scaleStrategy", "value": {"workersToDelete": surplus}},
        ]
        self.api.ask("PATCH", self.api.path("rayclusters", self.namespace, cluster), change, "application/json-patch+json")
        until(f"{replicas} workers", lambda: len(look.ready(self.pods(ray="worker"))) == replicas, 60)


def documented(begins: str, found: Release, **names: str) -> None:
    """Runs the command of docs/kubernetes.md that begins so, in the release's namespace; words are replaced by the keywords'."""
    text = re.sub(r"\s+", " ", DOCUMENT.read_text())
    (command,) = re.findall(rf"`?({re.escape(begins)}[^`]*?)(?:`| ```)", text)
    words = [names.get(word, word) for word in shlex.split(command)]
    done = found.cluster.kubectl(*words[1:], "--namespace", found.namespace)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


@contextmanager
def release(cluster: Cluster) -> Iterator[Release]:
    """An empty namespace with Pod Security `restricted`; afterwards nothing of it is left."""
    namespace = f"a2llm-{uuid.uuid4().hex[:8]}"
    cluster.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": RESTRICTED}})
    if cluster.own:
        add_volumes(cluster.api, namespace)
    with tempfile.TemporaryDirectory(prefix="a2llm-release-") as folder:
        try:
            yield Release(cluster, namespace, Path(folder))
        finally:
            wipe(cluster, namespace)


def wipe(cluster: Cluster, namespace: str) -> None:
    """By force: Ray's finalizers are taken off. An own cluster's empty namespace takes seconds more to go, for which nobody waits."""
    api = cluster.api

    def gone() -> bool:
        if not cluster.own:
            return api.gone("namespaces", "", namespace)
        free_ray(api, namespace)
        return not api.items("pods", namespace) and not api.items("rayclusters", namespace)

    if cluster.own:
        free_ray(api, namespace)
    api.delete("namespaces", "", namespace)
    until(f"namespace {namespace} is gone", gone, 120)
    remove_cluster_wide(api, namespace)
    if cluster.own:
        remove_volumes(api, namespace)


def free_ray(api: Api, namespace: str) -> None:
    """Ray's objects go without KubeRay's clean-up."""
    for kind in ("rayservices", "rayclusters"):
        for each in api.items(kind, namespace):
            api.delete(kind, namespace, each["metadata"]["name"])
            if each["metadata"].get("finalizers"):
                with suppress(Refused):  # it has gone meanwhile
                    api.merge(api.path(kind, namespace, each["metadata"]["name"]), {"metadata": {"finalizers": None}})


def cluster_wide(api: Api, namespace: str) -> list[str]:
    """Names of what the release has outside of its namespace."""
    found = api.items("priorityclasses")
    return [
        each["metadata"]["name"]
        for each in found
        if each["metadata"].get("annotations", {}).get("meta.helm.sh/release-namespace") == namespace
    ]


def remove_cluster_wide(api: Api, namespace: str) -> None:
    for name in cluster_wide(api, namespace):
        api.delete("priorityclasses", "", name)
