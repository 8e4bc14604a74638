"""A whole Ray cluster on this machine, with a tiny model in each replica; and callers that keep it busy. One for all tests of a module."""

import asyncio
import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.model_client.interface import Packet, PromptItem, ResponseRequest
from a2serve.local import tie
from a2serve.local.ports import free_ports

APPLICATION = "avatar"
START_S, STOP_S = 200.0, 60.0  # on a busy machine
LOOK_S = 0.1


@dataclass(frozen=True)
class Cluster:
    """Where it listens. `metrics`: of the replica that has place 0; the others' follow."""

    port: int
    metrics: int
    stats: int
    traces: int

    def client(self) -> GrpcInference:
        """As the gateway has it; to be made on the loop that uses it."""
        return GrpcInference(f"127.0.0.1:{self.port}", application=APPLICATION)

    def replicas_up(self) -> int:
        """To which HAProxy sends calls."""
        page = httpx.get(f"http://127.0.0.1:{self.stats}/stats;csv", trust_env=False).text
        rows = csv.DictReader(io.StringIO(page.removeprefix("# ")))
        return sum(row["pxname"] == f"grpc-{APPLICATION}" and "SERVE_REPLICA" in row["svname"] and row["status"] == "UP" for row in rows)

    async def has(self, least: int, most: int, within_s: float = 100.0) -> None:
        """So many replicas, before long."""
        last_s = time.monotonic() + within_s
        while not least <= (now := self.replicas_up()) <= most:
            assert time.monotonic() < last_s, f"{now} replicas instead of {least} to {most}"
            await asyncio.sleep(LOOK_S)

    def pid(self, replica: str) -> int:
        """Of the process, by the name that it signs with: host/place."""
        port = self.metrics + int(replica.rpartition("/")[2])
        return next(c.pid for c in psutil.net_connections("tcp") if c.status == "LISTEN" and c.laddr.port == port and c.pid)


@contextmanager
def cluster(folder: Path, **settings: object) -> Iterator[Cluster]:
    """Started, ready, and stopped; afterwards nothing of it runs. The model is the environment's; settings as in A2_INFERENCE_*."""
    port, http, haproxy, stats, ray, traces = free_ports(6)
    metrics = free_ports(1)[0]
    pages = {"ray": ray, "haproxy": haproxy, "replica-0": metrics}
    chosen = {"port": port, "http_port": http, "haproxy_metrics_port": haproxy, "haproxy_stats_port": stats, "ray_metrics_port": ray,
              "replica_metrics_port": metrics, "otlp_endpoint": f"http://127.0.0.1:{traces}", "lease_folder": folder / "places",
              "ray_folder": folder / "ray"} | settings  # fmt: skip
    env = os.environ | {f"A2_INFERENCE_{name.upper()}": str(value) for name, value in chosen.items()} | {"OMP_NUM_THREADS": "1"}
    servers = json.dumps({name: f"http://127.0.0.1:{port}/metrics" for name, port in pages.items()})
    with (
        _running(["a2serve.local.traces", "--port", str(traces), "--servers", servers], env, folder / "traces.log"),
        _running(["a2serve.inference.ray_program"], env, folder / "ray.log") as program,
    ):
        _wait_until_ready(program, folder / "ray.log")
        yield Cluster(port, metrics, stats, traces)


@contextmanager
def _running(module: list[str], env: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        command = [sys.executable, "-I", "-S", tie.__file__, str(os.getpid()), sys.executable, "-m", *module]  # ends with the tests
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        finally:
            _, left = psutil.wait_procs([other for other in psutil.process_iter() if _session(other.pid) == process.pid], timeout=5)
            for other in left:
                other.kill()
            process.wait()
    assert not left, f"left behind: {[other.pid for other in left]}"


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


def _wait_until_ready(program: "subprocess.Popen[bytes]", log: Path) -> None:
    last_s = time.monotonic() + START_S
    while b'"ready": true' not in log.read_bytes():
        assert program.poll() is None and time.monotonic() < last_s, log.read_text(errors="replace")[-4000:]
        time.sleep(LOOK_S)


def ask(session: str, *, text: str = "Hello you", turn: int = 0, tokens: int = 100, burst: bool = False) -> ResponseRequest:
    """About 4 s of speech from the tiny model; the seed is one with which it talks on."""
    return ResponseRequest(session, f"{session}-{turn}", "dev", (PromptItem("user", text),), motion_hz=30, max_output_tokens=tokens,
                           seed=4, burst=burst)  # fmt: skip


async def read(client: GrpcInference, request: ResponseRequest) -> list[Packet]:
    return [packet async for packet in client.respond(request)]


@dataclass
class Talker:
    """A session in which one response follows the other, until it is told to stop."""

    client: GrpcInference
    session: str
    responses: int = 0
    waited: int = 0  # no slot anywhere: asked again later
    broken_s: list[float] = field(default_factory=list)  # of perf_counter: streams that broke off
    gaps_s: list[float] = field(default_factory=list)  # from there to the first packet of the next one
    problems: list[Problem] = field(default_factory=list)  # anything else
    speaking: bool = False
    stopping: bool = False

    async def run(self) -> None:
        while not self.stopping:
            await self._respond()

    async def _respond(self) -> None:
        broken_s, finished = self.broken_s[-1] if len(self.broken_s) > len(self.gaps_s) else None, False
        packets = 0
        try:
            async with aclosing(self.client.respond(ask(self.session, turn=self.responses))) as stream:
                async for packet in stream:
                    packets += 1
                    self.speaking = packet.done is None
                    if packets == 1 and broken_s is not None:
                        self.gaps_s.append(time.perf_counter() - broken_s)
                    finished = packet.done is not None
        except Problem as problem:
            if problem.code is Code.NO_CAPACITY:
                self.waited += 1
                await asyncio.sleep((problem.retry_after_ms or 200) / 1000)
            elif packets and problem.code is Code.UNAVAILABLE:
                self.broken_s.append(time.perf_counter())
            else:
                self.problems.append(problem)
        self.speaking = False
        self.responses += finished
