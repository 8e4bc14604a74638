"""`make lock`: resolves pyproject.toml into the files of this folder, every package with its version and the hashes of its wheels.

    python requirements/lock.py               # what is locked stays; what pyproject.toml asks anew is added
    python requirements/lock.py --upgrade     # the newest versions that the pins allow

`everything.txt` is the lock: all extras, all platforms, all Python versions. The others hold what one installation needs of it, never
another version. They are installed with `pip install --no-deps --require-hashes`: nothing is resolved where something is installed.
"""

import argparse
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
PYPROJECT = HERE.parent / "pyproject.toml"
PYTHON = "3.11"  # the oldest that is supported
# File -> extras of pyproject.toml. The first is what make installs, the others what the Dockerfiles of infra/docker do.
FILES = {
    "local": ("train", "cluster", "dev"),
    "gateway": ("gateway",),
    "recorder": ("recorder",),
    "inference": ("ray",),
    "triton": ("inference",),
    "page": ("page",),
    "sbom": ("sbom",),
}


def extras() -> tuple[str, ...]:
    """Names of all extras of pyproject.toml."""
    return tuple(tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"])


def compile_command(name: str, wanted: tuple[str, ...], *more: str) -> list[str]:
    """The call of uv that writes `name`.txt."""
    chosen = [option for extra in wanted for option in ("--extra", extra)]
    options = ["--universal", "--python-version", PYTHON, "--generate-hashes", "--only-binary", ":all:", "--no-annotate", "--quiet"]
    header = ["--custom-compile-command", "make lock"]
    return ["uv", "pip", "compile", PYPROJECT.name, *chosen, *options, *header, *more, "--output-file", f"{HERE.name}/{name}.txt"]


def main() -> int:
    """The exit code: that of the first call of uv that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that the pins of pyproject.toml allow")
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    calls = [compile_command("everything", extras(), *upgrade)]
    lock = ("--constraints", f"{HERE.name}/everything.txt", "--upgrade")
    calls += [compile_command(name, wanted, *lock) for name, wanted in FILES.items()]
    for call in calls:
        print("writing", call[-1], file=sys.stderr)
        done = subprocess.run([str(Path(sys.executable).parent / call[0]), *call[1:]], cwd=HERE.parent)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
