"""What all tests share: a category from the folder, and small real files made on the spot."""

from pathlib import Path

import pytest

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
    from gguf_mini import write_mini_gguf

    return write_mini_gguf(tmp_path_factory.mktemp("gguf") / "mini.gguf")
