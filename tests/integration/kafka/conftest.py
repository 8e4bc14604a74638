"""Apache Kafka for `make test-kafka`: one broker for all tests; how many passed goes into the file that A2_KAFKA_JSON names."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.servers.kafka import VERSION, Broker, broker_standing, missing_tools

_passed: set[str] = set()


def pytest_runtest_logreport(report: Any) -> None:
    if report.when == "call" and report.passed:
        _passed.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if file := os.environ.get("A2_KAFKA_JSON"):
        figures = {"kafka_tests_passed": len(_passed), "kafka_tests_run": session.testscollected, "kafka_version": VERSION}
        Path(file).write_text(json.dumps(figures, indent=2) + "\n")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Running, with the topics of infra/kafka/topics.yaml still to be made."""
    if missing := missing_tools():
        pytest.exit(f"Apache Kafka cannot be run: {missing}", 2)
    with broker_standing(tmp_path_factory.mktemp("kafka")) as made:
        yield made
