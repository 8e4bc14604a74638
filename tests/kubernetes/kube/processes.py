"""Processes of the control plane: each with a log of its own, ended by its pid, also when the tests' process is killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from a2serve.local import tie

STOP_S, LOOK_S = 15.0, 0.2
Found = TypeVar("Found")


def tied(*command: str) -> list[str]:
    """The command, ended by the kernel when the tests' process dies."""
    return [sys.executable, tie.__file__, str(os.getpid()), *command]


@contextmanager
def running(name: str, *command: str, log: Path, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """In a process group of its own: Ctrl-C reaches the tests, which end it in their order."""
    with (log / f"{name}.log").open("wb") as file:
        process = subprocess.Popen(
            tied(*command), stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, start_new_session=True
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(what: str, look: Callable[[], Found], within_s: float) -> Found:
    """The first true answer of `look`. Raises AssertionError after `within_s`."""
    last_s = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < last_s, f"not within {within_s:.0f} s: {what}"
        time.sleep(LOOK_S)
    return found
