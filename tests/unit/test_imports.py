"""Every module imports on its own merits: no warning, no output, nothing run."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = {"a2llm": ROOT / "models" / "a2llm", "a2serve": ROOT / "services" / "a2serve"}
MODULES = sorted(name for package, folder in FOLDERS.items() for _, name, _ in pkgutil.walk_packages([str(folder)], f"{package}."))


NOT_TO_IMPORT = ("__main__", "migrations.env", "ray_app", "ray_head")  # Python's and Alembic's to run; those that need Ray


@pytest.mark.parametrize("module", [name for name in MODULES if not name.endswith(NOT_TO_IMPORT)])
def test_imports(module: str, capsys: pytest.CaptureFixture[str]) -> None:
    importlib.import_module(module)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


def test_every_folder_with_python_is_a_package() -> None:
    bare = [p.parent for folder in FOLDERS.values() for p in folder.rglob("*.py") if not (p.parent / "__init__.py").exists()]
    assert bare == []


def test_the_program_starts_quickly_without_torch() -> None:
    program = "import sys, a2llm.cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", f"`a2 --help` would load torch\n{done.stderr}"
