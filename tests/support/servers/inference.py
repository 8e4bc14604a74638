"""The inference service as a process of its own, with the real weights, on free loopback ports."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from a2llm.layers.threads import THREADS

START_S = 90  # on a busy machine


@dataclass(frozen=True)
class Server:
    """Address of a running inference server."""

    port: int
    metrics_port: int
    process: subprocess.Popen[str]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def running(**settings: object) -> Iterator[Server]:
    """Started, ready, and stopped by its id; settings as in A2_INFERENCE_*."""
    chosen = {"port": 0, "metrics_port": 0, "slots": 2, "threads": THREADS} | settings
    env = os.environ | {f"A2_INFERENCE_{name.upper()}": str(value) for name, value in chosen.items()}
    process = subprocess.Popen([sys.executable, "-m", "a2serve.inference"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"inference ended with {process.wait()}"
        facts = json.loads(line)
        yield Server(facts["port"], facts["metrics_port"], process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
