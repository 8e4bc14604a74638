"""The cluster that the tests talk to: one of their own, with nodes and operators that are played, or the one that KUBECONFIG names."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from kube.api import Api, proxied
from kube.control_plane import control_plane
from kube.hooks import Hooks
from kube.kubelet import Kubelet
from kube.nodes import add_nodes
from kube.operators import Operator, add_crds
from kube.processes import until
from kube.programs import PROGRAMS, unbuilt
from kube.ray_dashboard import RayDashboard

PRIORITY_CLASS = Path(__file__).parents[3] / "infra" / "terraform" / "priority-class.yaml"
Done = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Cluster:
    """`own`: the tests' own; else there is no played kubelet, nor Ray, and pods are somebody else's business."""

    api: Api
    environment: dict[str, str]
    own: bool
    _kubelet: Kubelet | None = None
    _ray: RayDashboard | None = None
    _operator: Operator | None = None

    @property
    def kubelet(self) -> Kubelet:
        """The kubelet that runs the pods."""
        assert self._kubelet
        return self._kubelet

    @property
    def ray(self) -> RayDashboard:
        """Dashboard that holds what KubeRay has told Ray's heads."""
        assert self._ray
        return self._ray

    @property
    def operator(self) -> Operator:
        """KubeRay's."""
        assert self._operator
        return self._operator

    def kubectl(self, *words: str, within_s: float = 120.0) -> Done:
        return self.run(self.program("kubectl"), *words, within_s=within_s)

    def helm(self, *words: str, within_s: float = 300.0) -> Done:
        return self.run(self.program("helm"), *words, within_s=within_s)

    def program(self, name: str) -> str:
        return str(PROGRAMS[name].file) if self.own else name

    def run(self, *command: str, within_s: float, cwd: Path | None = None, environment: dict[str, str] | None = None) -> Done:
        """Whether it went well is in the answer. Raises subprocess.TimeoutExpired."""
        env = environment or self.environment
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=within_s, cwd=cwd, stdin=subprocess.DEVNULL)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A fresh one in a folder of its own, which goes with it (A2_KUBERNETES_FOLDER keeps it, with the logs); or KUBECONFIG's."""
    with ExitStack() as stack:
        folder = _folder(stack)
        environment = _environment(folder)
        if os.environ.get("KUBECONFIG"):
            yield Cluster(stack.enter_context(proxied("kubectl", environment)), environment, own=False)
            return
        assert not unbuilt(), "the control plane is not built: make test-kubernetes does it"
        config, port = stack.enter_context(control_plane(folder))
        environment |= {"KUBECONFIG": str(config), "PATH": f"{PROGRAMS['kubectl'].file.parent}{os.pathsep}{environment['PATH']}"}
        api = stack.enter_context(proxied(str(PROGRAMS["kubectl"].file), environment))
        until("the API server has made its namespaces", lambda: not api.gone("namespaces", "", "default"), 60)
        add_crds(api)
        api.apply(yaml.safe_load(PRIORITY_CLASS.read_text()))  # as docs/kubernetes.md says, once
        add_nodes(api)
        ray = stack.enter_context(RayDashboard(api))
        kubelet = stack.enter_context(Kubelet(api, Hooks(api, f"https://127.0.0.1:{port}", folder / "api.crt", folder)))
        operator = stack.enter_context(Operator(api, port, folder, ray.url))
        until("all nodes may have pods", lambda: _open(api), 120)
        yield Cluster(api, environment, own=True, _kubelet=kubelet, _ray=ray, _operator=operator)


def _folder(stack: ExitStack) -> Path:
    if kept := os.environ.get("A2_KUBERNETES_FOLDER"):
        shutil.rmtree(kept, ignore_errors=True)
        Path(kept).mkdir(parents=True)
        return Path(kept)
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="a2llm-kubernetes-")))


def _environment(folder: Path) -> dict[str, str]:
    """Helm keeps to the folder; nothing that a user has set up for another cluster is read."""
    helm = {f"HELM_{name}_HOME": str(folder / "helm") for name in ("CACHE", "CONFIG", "DATA")}
    return {**os.environ, **helm, "KUBECACHEDIR": str(folder / "kubectl")}


def _open(api: Api) -> bool:
    return all(
        not any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints", [])) for node in api.items("nodes")
    )
