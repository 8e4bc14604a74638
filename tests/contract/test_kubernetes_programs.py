"""`make test-kubernetes` before it has anything: what is pinned is what is documented, and whoever lacks something is told what."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from kube.programs import MODULES, kept, versions

README = (MODULES.parent / "README.md").read_text()


@pytest.mark.parametrize(("path", "version"), versions().items())
def test_the_documented_version_is_the_pinned_one(path: str, version: str) -> None:
    assert version.removeprefix("v") in README, path


def test_another_pin_is_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = kept("etcd")
    monkeypatch.setattr("kube.programs.MODULES", tmp_path)
    (tmp_path / "etcd").mkdir()
    for name in ("go.mod", "go.sum"):
        (tmp_path / "etcd" / name).write_bytes((MODULES / "etcd" / name).read_bytes())
    assert kept("etcd") == before
    (tmp_path / "etcd" / "go.mod").write_text((MODULES / "etcd" / "go.mod").read_text().replace("v3 v3.6.16", "v3 v3.6.17"))
    assert kept("etcd") != before


def _first_run(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """With an empty cache and nothing on the PATH."""
    known = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    own = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "PYTHONPATH": str(MODULES.parent)}
    return subprocess.run(
        [sys.executable, "-m", "kube.programs"], env=known | own | environment, capture_output=True, text=True, timeout=60
    )


def test_without_go_it_says_what_there_could_be(tmp_path: Path) -> None:
    done = _first_run(tmp_path)
    assert done.returncode == 1 and "Go 1.26" in done.stderr and "KUBECONFIG" in done.stderr


def test_with_a_cluster_it_asks_for_kubectl_and_helm(tmp_path: Path) -> None:
    done = _first_run(tmp_path, KUBECONFIG="/nowhere")
    assert done.returncode == 1 and "kubectl and helm must be on the PATH" in done.stderr
    for name in ("kubectl", "helm"):
        (tmp_path / name).touch(0o755)
    assert _first_run(tmp_path, KUBECONFIG="/nowhere").returncode == 0
