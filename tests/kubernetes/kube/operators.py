"""The chart's operators: the CRDs of all, and KubeRay's operator itself, out of the cluster with the rights of its own ClusterRole."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import yaml

from a2serve.local.ports import free_ports
from kube.api import Api, Object
from kube.control_plane import kubeconfig
from kube.processes import running, until
from kube.programs import MANIFESTS, PROGRAMS, manifests

NAMESPACE, ACCOUNT = "kuberay", "kuberay-operator"
# Google publishes these two in no Go module: they take any field, so only their being well-formed is checked.
OF_GOOGLE = {"GCPBackendPolicy": "gcpbackendpolicies", "HealthCheckPolicy": "healthcheckpolicies"}


def add_crds(api: Api) -> None:
    for module, path, _ in MANIFESTS:
        for file in sorted(manifests(module, path).glob("*.yaml")):
            for thing in yaml.load_all(file.read_text(), yaml.CSafeLoader):
                if thing and thing["kind"] == "CustomResourceDefinition":
                    api.apply(_without_webhook(thing))
    for kind, plural in OF_GOOGLE.items():
        api.apply(_anything(kind, plural))


def _without_webhook(crd: Object) -> Object:
    """The version that is stored needs no conversion, and nobody answers for it here."""
    return crd | {"spec": {name: value for name, value in crd["spec"].items() if name != "conversion"}}


def _anything(kind: str, plural: str) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.networking.gke.io"},
        "spec": {
            "group": "networking.gke.io",
            "names": names,
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@contextmanager
def kuberay(api: Api, api_port: int, folder: Path, ray_url: str, clears_redis: bool = False) -> Iterator[None]:
    """Runs KubeRay; its requests to Ray's heads go to `ray_url`. It runs as docs/kubernetes.md says; clears_redis=True: with its own
    default."""
    metrics, probes = free_ports(2)
    config = kubeconfig(folder, api_port, "kuberay", _account(api))
    # The API server is on loopback, which Go asks without a proxy.
    environment = {
        **os.environ,
        "HTTP_PROXY": ray_url,
        "NO_PROXY": "127.0.0.1,localhost",
        "KUBECONFIG": str(config),
        "POD_NAMESPACE": NAMESPACE,
        "RAYCLUSTER_DEFAULT_REQUEUE_SECONDS_ENV": "5",
        "ENABLE_GCS_FT_REDIS_CLEANUP": "true" if clears_redis else "false",
    }
    flags = (
        "--enable-leader-election=false",
        f"--metrics-addr=127.0.0.1:{metrics}",
        f"--health-probe-bind-address=127.0.0.1:{probes}",
        "--log-stdout-encoder=console",
    )
    with running("ray-operator", str(PROGRAMS["ray-operator"].file), *flags, log=folder, environment=environment):
        until("the KubeRay operator is ready", lambda: _ready(f"http://127.0.0.1:{probes}/readyz"), 90)
        yield


class Operator:
    """KubeRay's, which may be started again with another setting. A context: ended with it."""

    def __init__(self, api: Api, api_port: int, folder: Path, ray_url: str) -> None:
        self._made = lambda clears_redis: kuberay(api, api_port, folder, ray_url, clears_redis)
        self._running = ExitStack()

    def __enter__(self) -> "Operator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def start(self, clears_redis: bool = False) -> None:
        """Ends the one that runs."""
        self._running.close()
        self._running.enter_context(self._made(clears_redis))

    @contextmanager
    def by_default(self) -> Iterator[None]:
        """Runs it without ENABLE_GCS_FT_REDIS_CLEANUP, as it is by default."""
        self.start(clears_redis=True)
        try:
            yield
        finally:
            self.start()


def _ready(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False


def _account(api: Api) -> str:
    """A token of the operator's ServiceAccount, which its ClusterRole is bound to."""
    role = next(yaml.safe_load_all((manifests("kuberay", "github.com/ray-project/kuberay/ray-operator") / "role.yaml").read_text()))
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT, "namespace": NAMESPACE}})
    api.apply(role | {"metadata": {"name": ACCOUNT}})
    api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": ACCOUNT},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
        }
    )
    return api.token(NAMESPACE, ACCOUNT)
