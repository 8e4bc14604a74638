"""A real Triton server with a tiny model behind it, on free loopback ports; stopped by its id, with all it started."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from a2serve.local.home import cache_folder
from a2serve.local.ports import HOST, free_ports
from a2serve.local.process import Part, last_words
from a2serve.local.triton import MODEL, REPOSITORY, TritonPorts, triton_part
from a2serve.local.triton_install import install_triton

START_S = 90.0  # on a busy machine
INSTALLED = cache_folder() / "triton"  # where it is before a test moves A2_HOME


@dataclass
class Triton:
    """A server. `repository` may be changed: it is a copy."""

    part: Part
    ports: TritonPorts
    repository: Path
    log: Path
    env: Mapping[str, str]

    def start(self) -> None:
        """Also once more, after it was killed."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.part.command, env={**os.environ, **self.part.env, **self.env}, stdout=out, stderr=out, start_new_session=True
            )

    @property
    def url(self) -> str:
        return f"{HOST}:{self.ports.grpc}"

    def ready(self, version: str = "") -> bool:
        return _status(self.ports.http, f"/v2/models/{MODEL}{f'/versions/{version}' if version else ''}/ready") == 200

    def index(self) -> dict[str, str]:
        """Version -> state, as the repository knows it."""
        models = json.loads(_post(self.ports.http, "/v2/repository/index"))
        return {model["version"]: model.get("state", "") for model in models if model["name"] == MODEL and "version" in model}

    def load(self) -> None:
        _post(self.ports.http, f"/v2/repository/models/{MODEL}/load")

    def unload(self) -> None:
        _post(self.ports.http, f"/v2/repository/models/{MODEL}/unload")

    def metrics(self) -> dict[str, float]:
        """Series -> value."""
        with urllib.request.urlopen(f"http://{HOST}:{self.ports.metrics}/metrics", timeout=5) as page:
            lines = page.read().decode().splitlines()
        return {series: float(value) for series, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    def kill(self) -> None:
        """kill -9, the server alone."""
        os.kill(self.process.pid, signal.SIGKILL)

    def stubs(self) -> list[int]:
        """Processes in which its models run."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split() if _is_stub(int(pid))]


def _is_stub(pid: int) -> bool:
    return b"triton_python_backend_stub" in Path(f"/proc/{pid}/cmdline").read_bytes()


def new_repository(folder: Path) -> Path:
    """A copy of the one that ships."""
    return shutil.copytree(REPOSITORY, folder / "models", ignore=shutil.ignore_patterns("__pycache__"))


@contextmanager
def running(folder: Path, env: Mapping[str, str], **settings: object) -> Iterator[Triton]:
    """Started and ready. settings: of the engine, as in A2_INFERENCE_*."""
    with starting(folder, env, **settings) as triton:
        await_ready(triton)
        yield triton


@contextmanager
def starting(folder: Path, env: Mapping[str, str], **settings: object) -> Iterator[Triton]:
    """Ready some time later."""
    ports, repository = TritonPorts(*free_ports(3)), new_repository(folder)
    chosen = {"slots": 2, "threads": 1, "log_level": "INFO"} | settings
    environment = {f"A2_INFERENCE_{name.upper()}": str(value) for name, value in chosen.items()}
    part = triton_part("triton", install_triton(print, INSTALLED), ports, environment, repository)
    triton = Triton(part, ports, repository, folder / "triton.log", env)
    triton.start()
    try:
        yield triton
    finally:
        _end(triton.process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Triton ends its own; what is left after that is killed."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def await_ready(triton: Triton) -> None:
    last_s = time.monotonic() + START_S
    while not triton.ready():
        assert triton.process.poll() is None, f"Triton ended: {last_words(triton.log)}"
        assert time.monotonic() < last_s, f"Triton was not ready: {last_words(triton.log)}"
        time.sleep(0.05)


def _status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=5) as response:
            return response.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except (URLError, ConnectionError, TimeoutError):
        return 0


def _post(port: int, path: str) -> bytes:
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read()
