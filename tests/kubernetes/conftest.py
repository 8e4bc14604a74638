"""Tests on a Kubernetes API: only where they are asked for (`pytest tests/kubernetes`, `make test-kubernetes`), since they take minutes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kube.cluster import Cluster, cluster
from kube.programs import versions
from kube.release import Release, release
from support.figures import add_figures
from support.findings_table import left_open, rows

HERE = Path(__file__).parent
TEST_S = 600  # a test; the first one waits for the control plane
FIGURES = pytest.StashKey[dict[str, object]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--figures", type=Path, help="write what was counted into this JSON file")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = {}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    asked = any(Path(arg.split("::")[0]).resolve().is_relative_to(HERE) for arg in config.args)
    return None if asked or not collection_path.is_relative_to(HERE) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.integration)
            item.add_marker(pytest.mark.timeout(TEST_S))


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> dict[str, object]:
    """Figures that `--figures` writes."""
    return pytestconfig.stash[FIGURES]


@pytest.fixture(scope="session")
def any_cluster(figures: dict[str, object]) -> Iterator[Cluster]:
    """The tests' own, or KUBECONFIG's."""
    began = time.monotonic()
    with cluster() as found:
        figures["control_plane_seconds"] = round(time.monotonic() - began, 1)
        figures["kubernetes_version"] = found.api.ask("GET", "/version")[0]["gitVersion"]
        yield found


@pytest.fixture(scope="session")
def own_cluster(any_cluster: Cluster) -> Cluster:
    """With nodes whose pods need no images, and KubeRay."""
    if not any_cluster.own:
        pytest.skip("needs the tests' own control plane (no KUBECONFIG)")
    return any_cluster


@pytest.fixture
def empty(own_cluster: Cluster) -> Iterator[Release]:
    """A namespace with nothing in it."""
    with release(own_cluster) as found:
        yield found


def pytest_sessionfinish(session: pytest.Session) -> None:
    file: Path | None = session.config.getoption("figures", None)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if file is None or reporter is None:
        return
    passed = [report.nodeid for report in reporter.stats.get("passed", []) if report.when == "call"]
    counts = {f"tests_{name}": len(reporter.stats.get(name, [])) for name in ("failed", "error", "xfailed", "skipped")}
    figures = {
        "examples_installed": sum("test_an_example_installs" in name for name in passed),
        "upgrade_steps_passed": sum("test_upgrade.py" in name for name in passed),
        "tests_passed": len(passed),
        **counts,
        **left_open(rows()),
        **session.config.stash[FIGURES],
        "versions": versions(),
    }
    add_figures(file, "test_kubernetes", figures)
