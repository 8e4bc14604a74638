"""Counts of other programs: the contracts of import-linter, and files that a formatter would change."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bench.house import tree

LINT_IMPORTS = "from importlinter.cli import lint_imports_command as run; run()"
TIMEOUT_S = 120


def import_contracts(root: Path) -> tuple[int, int]:
    """(kept, broken). Raises ValueError when import-linter cannot read its configuration."""
    done = _run([sys.executable, "-c", LINT_IMPORTS, "--no-cache"], root)
    found = re.search(r"Contracts: (\d+) kept, (\d+) broken", done.stdout)
    if not found:
        raise ValueError(f"import-linter: {done.stdout}{done.stderr}")
    return int(found[1]), int(found[2])


def unformatted(root: Path) -> list[str]:
    """Python files that `ruff format` would change."""
    done = _run([sys.executable, "-m", "ruff", "format", "--check", "--no-cache", "--output-format=concise", "."], root)
    if done.returncode not in (0, 1):
        raise ValueError(f"ruff: {done.stderr}")
    return re.findall(r"^(\S+?):\d.*would be reformatted", done.stdout, re.MULTILINE)


def web_unformatted(root: Path) -> list[str]:
    """Files of the page that its formatter would change. Raises ValueError where the page's packages are not installed."""
    web = root / tree.WEB
    program = web / "node_modules" / ".bin" / "biome"
    if not program.exists() or not shutil.which("node", path=_path()):
        raise ValueError("the page's packages are not installed: run `make setup`")
    done = _run([str(program), "format", "--max-diagnostics=none", "--colors=off", "."], web)
    return sorted(set(re.findall(r"^(?:\./)?(\S+) format ━", done.stdout + done.stderr, re.MULTILINE)))


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PATH": _path(), "NO_COLOR": "1"}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
