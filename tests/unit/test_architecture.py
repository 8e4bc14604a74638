"""The direction of imports, as pyproject.toml states it, holds (also part of `make check`)."""

import subprocess
import sys
from pathlib import Path

import pytest

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
