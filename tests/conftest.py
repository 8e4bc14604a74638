"""What all tests share: a category from the folder, and small real files made on the spot."""

from pathlib import Path

import pytest

CATEGORIES = ("unit", "contract", "parity", "integration", "e2e")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """tests/unit/... are unit tests, and so on: a category cannot be forgotten."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if folder in CATEGORIES:
            item.add_marker(folder)


@pytest.fixture
def a2_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder for this test alone."""
    home = tmp_path / "a2home"
    monkeypatch.setenv("A2_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def mini_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 2-layer Llama of random numbers with a byte-level vocabulary, as a GGUF file (some tensors Q8_0)."""
    from gguf_mini import write_mini_gguf

    return write_mini_gguf(tmp_path_factory.mktemp("gguf") / "mini.gguf")
