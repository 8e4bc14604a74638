"""A model that the command line can load in a second."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every trained component, tiny and random."""
    from support.models.cli_model import write_tiny_model

    return write_tiny_model(tmp_path_factory.mktemp("tiny_model"))


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tiny_home")


@pytest.fixture(scope="module")
def tiny_model(tiny_files: Path, tiny_home: Path, mini_gguf: Path) -> Iterator[Path]:
    """The environment points to the tiny model and to a cache of its own while a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2_MODEL", str(tiny_files))
        patch.setenv("A2_WEIGHTS_BACKBONE", str(mini_gguf))
        patch.setenv("A2_HOME", str(tiny_home))
        yield tiny_files


@pytest.fixture
def start_a2() -> Iterator[Callable[..., Popen[str]]]:
    """Starts `a2 ...` as a process of its own; killed at the end of the test if it still runs."""
    running: list[Popen[str]] = []

    def start(*arguments: str, **options: object) -> Popen[str]:
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        pipes = {"stdin": PIPE, "stdout": PIPE, "stderr": PIPE, "text": True} | options
        running.append(Popen([sys.executable, "-m", "a2llm.cli", *arguments], env=environment, **pipes))  # type: ignore[call-overload]
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                pipe.close()
