"""The direction of imports, as pyproject.toml states it, holds (also part of `make check`)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from a2serve.local.triton import REPOSITORY

ROOT = Path(__file__).parents[2]
SERVICE_LIBRARIES = ("fastapi", "ray", "redis", "kafka", "grpc", "opentelemetry", "a2serve")


def test_import_contracts_hold() -> None:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": ""}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout and "kept, " in done.stdout


@pytest.mark.parametrize(
    ("module", "absent"),
    [("a2llm", ("torch", *SERVICE_LIBRARIES)), ("a2llm.weights", ("torch", "llama_cpp")), ("a2serve", ("torch", "a2llm", "ray"))],
)
def test_a_part_starts_without_what_it_does_not_need(module: str, absent: tuple[str, ...]) -> None:
    program = f"import sys, {module}; print(*set({absent!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def imported(source: Path) -> set[str]:
    """The top-level packages that a file imports, wherever in it."""
    nodes = list(ast.walk(ast.parse(source.read_text())))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in (*plain, *named)}


def test_no_file_of_the_model_imports_a_service() -> None:
    """Import-linter reads packages alone; this reads every file, so also one that a server finds by its path."""
    files = [path for path in (ROOT / "models").rglob("*.py") if "node_modules" not in path.parts]
    assert len(files) > 100
    assert [str(path.relative_to(ROOT)) for path in files if "a2serve" in imported(path)] == []


def test_triton_is_given_a_model_of_the_services() -> None:
    [model] = REPOSITORY.glob("*/1/model.py")
    assert model.is_relative_to(ROOT / "services")
    assert "a2serve" in imported(model)
