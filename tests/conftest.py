"""Fixtures of all tests: a category from the folder, and small real files made on the spot."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.servers.sql import Postgres

CATEGORIES = ("unit", "contract", "parity", "integration", "e2e")
ORDER = {name: index for index, name in enumerate(CATEGORIES)}
HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """tests/unit/... are unit tests, and so on: a category cannot be forgotten. In parallel runs the long ones begin first."""
    for item in items:
        folder = _folder(item)
        if folder in CATEGORIES:
            item.add_marker(folder)
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: -ORDER.get(_folder(item), 0))


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""


@pytest.fixture
def a2_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test alone."""
    home = tmp_path / "a2home"
    monkeypatch.setenv("A2_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def mini_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2-layer Llama of random numbers with a byte-level vocabulary, as a GGUF file (some tensors Q8_0)."""
    from support.models.gguf_mini import write_mini_gguf

    return write_mini_gguf(tmp_path_factory.mktemp("gguf") / "mini.gguf")


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """PostgreSQL, started once by each test process that asks for it."""
    from support.servers.sql import postgres_standing

    with postgres_standing() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, of each kind that the recorder can use."""
    return f"sqlite:///{tmp_path / 'recorder.sqlite'}" if request.param == "sqlite" else request.getfixturevalue("postgres").new_database()
