"""The programs of a Kubernetes control plane, Helm and KubeRay, built of the Go modules pinned in ../go, and the operators' manifests.

Each module has a folder of its own in the cache, named after the hash of its go.mod and go.sum: another version is another folder, and
nothing is built twice. A build that is interrupted goes on where it was, since Go keeps what it has compiled. As a program: builds what is
missing and says so; does nothing where KUBECONFIG names a cluster.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

MODULES = Path(__file__).parents[1] / "go"
STAMP = "k8s.io/component-base/version"  # without a version Kubernetes calls itself v0.0.0, which charts and operators refuse
PROGRESS_S = 15.0
NO_GO = """\
make test-kubernetes needs a Kubernetes API, one of:
  KUBECONFIG=/path/to/kubeconfig (kind, a cloud), with kubectl and helm on the PATH: runs the part that needs no nodes of its own
  Go 1.26 or newer (https://go.dev/dl): builds a control plane once, 0.6 GB in {cache}; minutes to an hour, by the machine"""


@dataclass(frozen=True)
class Program:
    """A binary of the module in go/`module`."""

    name: str
    module: str
    package: str
    path: str  # whose version it has

    @property
    def file(self) -> Path:
        return kept(self.module) / self.name

    @property
    def flags(self) -> str:
        """For the linker."""
        found = version(self.path, self.module)
        if self.module == "helm":
            return f"-s -w -X helm.sh/helm/v4/internal/version.version={found}"
        if self.module != "kubernetes":
            return "-s -w"
        major, minor, _ = found.removeprefix("v").split(".")
        stamps = {
            "gitVersion": found,
            "gitMajor": major,
            "gitMinor": minor,
            "gitTreeState": "clean",
            "gitCommit": "module",
            "buildDate": "1970-01-01T00:00:00Z",
        }
        return "-s -w " + " ".join(f"-X {STAMP}.{name}={value}" for name, value in stamps.items())


def _of_kubernetes(name: str) -> Program:
    return Program(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes")


PROGRAMS = {
    program.name: program
    for program in (
        *map(_of_kubernetes, ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")),
        Program("etcd", "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
        Program("ray-operator", "kuberay", "github.com/ray-project/kuberay/ray-operator", "github.com/ray-project/kuberay/ray-operator"),
        Program("helm", "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4"),
    )
}

# Files that are applied to the API: (module in ../go, path of the Go module, files in it).
MANIFESTS = (
    ("kuberay", "github.com/ray-project/kuberay/ray-operator", ("config/crd/bases/*.yaml", "config/rbac/role.yaml")),
    ("crds", "github.com/kedacore/keda/v2", ("config/crd/bases/keda.sh_*.yaml",)),
    (
        "crds",
        "github.com/prometheus-operator/prometheus-operator",
        tuple(f"example/prometheus-operator-crd/*_{kind}.yaml" for kind in ("podmonitors", "servicemonitors", "prometheusrules")),
    ),
    (
        "crds",
        "sigs.k8s.io/gateway-api",
        tuple(f"config/crd/standard/*_{kind}.yaml" for kind in ("gatewayclasses", "gateways", "httproutes")),
    ),
    (
        "crds",
        "github.com/external-secrets/external-secrets",
        tuple(f"config/crds/bases/external-secrets.io_{kind}.yaml" for kind in ("externalsecrets", "secretstores", "clustersecretstores")),
    ),
)


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "a2llm-kubernetes"


def kept(module: str) -> Path:
    """The folder of what is built of go/`module` as it is pinned."""
    pins = b"".join((MODULES / module / name).read_bytes() for name in ("go.mod", "go.sum"))
    return cache() / f"{module}-{hashlib.sha256(pins).hexdigest()[:12]}" / "bin"


def version(path: str, module: str) -> str:
    """Version of the Go module `path`, as go/`module` pins it."""
    found = re.search(rf"^(?:require)?\s+{re.escape(path)} (v\S+)", (MODULES / module / "go.mod").read_text(), re.MULTILINE)
    assert found, f"{path} is not in go/{module}/go.mod"
    return found[1]


def versions() -> dict[str, str]:
    """Versions of everything that runs or is applied."""
    paths = {program.path: program.module for program in PROGRAMS.values()} | {path: module for module, path, _ in MANIFESTS}
    return {path: version(path, module) for path, module in sorted(paths.items())}


def manifests(module: str, path: str) -> Path:
    """The folder of the Go module's files that are applied."""
    return kept(module).parent / "manifests" / path.replace("/", "_")


def unbuilt() -> list[Program]:
    return [program for program in PROGRAMS.values() if not program.file.exists()]


def build(program: Program, number: str) -> None:
    """Raises SystemExit where Go refuses."""
    began, compiled = time.monotonic(), 0
    program.file.parent.mkdir(parents=True, exist_ok=True)
    made = program.file.with_suffix(".new")
    command = ["go", "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", program.flags, "-o", str(made), program.package]
    environment = {**os.environ, "CGO_ENABLED": "0"}
    with subprocess.Popen(command, cwd=MODULES / program.module, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        said, last = [], began
        for line in process.stderr:
            said, compiled = [*said[-9:], line], compiled + 1
            if time.monotonic() - last > PROGRESS_S:
                last = time.monotonic()
                print(f"{number} {program.name}: {compiled} packages, {last - began:.0f} s", flush=True)
    if process.returncode:
        sys.exit(f"{program.name} was not built:\n{''.join(said)}")
    made.replace(program.file)
    print(f"{number} {program.name}: built in {time.monotonic() - began:.0f} s", flush=True)


def fetch(module: str, path: str, patterns: tuple[str, ...]) -> None:
    """Copies a Go module's files into the cache."""
    found = subprocess.run(["go", "mod", "download", "-json", path], cwd=MODULES / module, capture_output=True, text=True)
    if found.returncode:
        sys.exit(f"{path} was not fetched:\n{found.stdout}{found.stderr}")
    source, folder = Path(json.loads(found.stdout)["Dir"]), manifests(module, path)
    partial = folder.with_name(folder.name + ".new")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for pattern in patterns:
        files = sorted(source.glob(pattern))
        assert files, f"{path} has no {pattern}"
        for file in files:
            shutil.copyfile(file, partial / file.name)
    partial.rename(folder)


def main() -> None:
    """Builds what is missing."""
    if os.environ.get("KUBECONFIG"):
        lacking = [name for name in ("kubectl", "helm") if not shutil.which(name)]
        sys.exit(f"with KUBECONFIG, {' and '.join(lacking)} must be on the PATH" if lacking else 0)
    cache().mkdir(parents=True, exist_ok=True)
    with FileLock(cache() / "lock"):
        lacking = unbuilt()
        files = [each for each in MANIFESTS if not manifests(*each[:2]).exists()]
        if (lacking or files) and not shutil.which("go"):
            sys.exit(NO_GO.format(cache=cache()))
        for each in files:
            fetch(*each)
        if lacking:
            print(f"building a Kubernetes control plane, once; it is kept in {cache()}", flush=True)
        for index, program in enumerate(lacking, 1):
            build(program, f"[{index}/{len(lacking)}]")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; the next run goes on from here")
