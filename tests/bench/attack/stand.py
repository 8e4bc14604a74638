"""The stand that is attacked: Valkey, a Kafka-wire broker, the recorder, the model, and two gateways, each a process of its own on
loopback."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from a2serve.gateway.tenants import create_key
from a2serve.local.ports import HOST, free_ports

START_S = 240.0
SLOTS = 8
TENANTS = ("acme", "globex", "hooli")


@dataclass
class Part:
    """A process, its command, and what says that it is ready: an HTTP path, or "" for a port that listens."""

    name: str
    command: Sequence[str]
    port: int
    path: str = ""
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def cpu_s(self) -> float:
        """CPU time of the process since it began."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    @property
    def memory_mb(self) -> float:
        """Resident memory of the process."""
        return psutil.Process(self.pid).memory_info().rss / 1e6


@dataclass
class Stand:
    """All parts, by name; keys by tenant."""

    folder: Path
    parts: dict[str, Part]
    keys: dict[str, str]

    @property
    def gateways(self) -> tuple[Part, Part]:
        return self.parts["gateway-a"], self.parts["gateway-b"]

    def start(self, name: str) -> None:
        """Start it and wait until it is ready. Raises RuntimeError with the end of its log."""
        part = self.parts[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            part.process = subprocess.Popen(part.command, env=os.environ | part.env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until_s = time.monotonic() + START_S
        while not _ready(part):
            if part.process.poll() is not None or time.monotonic() > until_s:
                raise RuntimeError(f"{name} does not start: {(self.folder / f'{name}.log').read_text()[-2000:]}")
            time.sleep(0.1)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send it a signal; after SIGKILL it is waited for."""
        part = self.parts[name]
        os.kill(part.pid, number)
        if number is signal.SIGKILL and part.process:
            part.process.wait(10)

    def stop(self) -> None:
        """End all of them, last started first."""
        for part in reversed(self.parts.values()):
            if part.process and part.process.poll() is None:
                part.process.send_signal(signal.SIGCONT)
                part.process.kill()
                part.process.wait(20)

    def rows(self, table: str, where: str, *values: str) -> list[dict[str, object]]:
        """Rows of a table in the recorder's database."""
        with closing(sqlite3.connect(f"file:{self.folder / 'recorder.sqlite'}?mode=ro", uri=True)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {table} WHERE {where}", values)]


@contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """All parts up while inside. `folder`: for their logs and data."""
    stand = Stand(folder, _parts(folder), {})
    tenants = folder / "tenants.toml"
    stand.keys = {tenant: create_key(tenants, tenant)[0] for tenant in TENANTS}
    _limits(tenants)
    try:
        for name in stand.parts:
            print("starting", name, file=sys.stderr)
            stand.start(name)
        yield stand
    finally:
        stand.stop()


def _parts(folder: Path) -> dict[str, Part]:
    from support.servers.gateway import tansu_command, valkey_command

    valkey, broker, model, model_metrics, recorder, one, two = free_ports(7)
    data = folder / "valkey"
    data.mkdir()
    database = f"sqlite:///{folder / 'recorder.sqlite'}"
    kept = [*valkey_command(valkey, data), "--appendonly", "yes"]
    inference = {"A2_INFERENCE_PORT": str(model), "A2_INFERENCE_METRICS_PORT": str(model_metrics), "A2_INFERENCE_SLOTS": str(SLOTS)}
    records = {
        "A2_RECORDER_KAFKA_SERVERS": f"{HOST}:{broker}",
        "A2_RECORDER_DATABASE": database,
        "A2_RECORDER_HOST": HOST,
        "A2_RECORDER_METRICS_PORT": str(recorder),
    }
    gateway = {
        "A2_GATEWAY_HOST": HOST,
        "A2_GATEWAY_INFERENCE": f"{HOST}:{model}",
        "A2_GATEWAY_REDIS_URL": f"redis://{HOST}:{valkey}/0",
        "A2_GATEWAY_KAFKA_SERVERS": f"{HOST}:{broker}",
        "A2_GATEWAY_USAGE_DATABASE": database,
        "A2_GATEWAY_DRAIN_S": "1",
        "A2_TENANTS_FILE": str(folder / "tenants.toml"),
    }
    serve = (sys.executable, "-m", "a2serve.gateway")
    parts = [
        Part("valkey", kept, valkey),
        Part("broker", tansu_command(broker), broker),
        Part("model", (sys.executable, "-m", "a2serve.inference"), model_metrics, "/metrics", inference),
        Part("recorder", (sys.executable, "-m", "a2serve.recorder"), recorder, "/metrics", records),
        *(
            Part(name, serve, port, "/readyz", gateway | {"A2_GATEWAY_PORT": str(port), **_own(folder, name)})
            for name, port in (("gateway-a", one), ("gateway-b", two))
        ),
    ]
    return {part.name: part for part in parts}


def _own(folder: Path, name: str) -> dict[str, str]:
    """Settings that two gateways on one machine cannot share."""
    spool = folder / name
    spool.mkdir()
    return {"A2_GATEWAY_SPOOL_FOLDER": str(spool)}


def _limits(tenants: Path) -> None:
    """High enough that attacks meet what they are aimed at, and not the rate limit."""
    text = tenants.read_text()
    for name, limit in {"max_sessions": 200, "requests_per_minute": 600_000, "burst_requests": 20_000}.items():
        text, count = re.subn(rf"^{name} = .*$", f"{name} = {limit}", text, flags=re.M)
        assert count == len(TENANTS), f"{name} does not stand in the tenants file"
    tenants.write_text(text)


def _ready(part: Part) -> bool:
    try:
        if not part.path:
            with socket.socket() as probe:
                return probe.connect_ex((HOST, part.port)) == 0
        with urllib.request.urlopen(f"{part.url}{part.path}", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
