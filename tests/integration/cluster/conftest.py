"""`make test-cluster`: what was counted goes into the file that A2_CLUSTER_JSON names."""

import os
from pathlib import Path
from typing import Any

import pytest
from support.figures import add_figures

FIGURES = pytest.StashKey[dict[str, object]]()
_passed: set[str] = set()


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" and report.passed:
        _passed.add(report.nodeid)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> dict[str, object]:
    """Figures that are written to the file at the end."""
    return pytestconfig.stash.setdefault(FIGURES, {})


def pytest_sessionfinish(session: pytest.Session) -> None:
    if file := os.environ.get("A2_CLUSTER_JSON"):
        counts = {"cluster_tests_passed": len(_passed), "cluster_tests_run": session.testscollected}
        add_figures(Path(file), "test_cluster", session.config.stash.get(FIGURES, {}) | counts)
