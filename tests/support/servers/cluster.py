"""A whole Ray cluster on this machine, where each replica has a Triton with a tiny model; and callers that keep it busy. One for all
tests of a module. Without Triton, the replicas have the model themselves.
"""

import asyncio
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from a2llm.messages import Packet, ResponseOptions, ResponseRequest, UserTurn
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.local import tie
from a2serve.local.ports import free_block, free_ports
from support.servers.triton import Triton, starting

APPLICATION = "avatar"
START_S, STOP_S = 200.0, 60.0  # on a busy machine
LOOK_S = 0.1


@dataclass(frozen=True)
class Cluster:
    """Addresses of a running cluster. `metrics`: of the replica that has place 0; the others' follow. `tritons`: by place; perhaps none."""

    port: int
    metrics: int
    stats: int
    traces: int
    tritons: tuple[Triton, ...]
    program: "subprocess.Popen[bytes]"

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self) -> GrpcInference:
        """A client as the gateway has it; to be made on the loop that uses it."""
        return GrpcInference(self.target, application=APPLICATION)

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

    def kill_replica(self, replica: str) -> None:
        """kill -9, by the name that it signs with: host/place."""
        port, sockets = self.metrics + _place(replica), psutil.net_connections("tcp")
        os.kill(next(s.pid for s in sockets if s.status == "LISTEN" and s.laddr.port == port and s.pid), signal.SIGKILL)

    def leave(self) -> None:
        """Stops as its pods do when they are deleted: what runs may end, nothing new is taken. Returns at once."""
        self.program.terminate()

    @property
    def gone(self) -> bool:
        return self.program.poll() is not None

    def kill_ingress(self) -> None:
        """kill -9 of HAProxy, and so of every stream: what the end of its node is for who speaks through it."""
        sockets = psutil.net_connections("tcp")
        for pid in {s.pid for s in sockets if s.status == "LISTEN" and s.laddr.port == self.port and s.pid}:
            os.kill(pid, signal.SIGKILL)

    def kill_triton(self, replica: str) -> None:
        """kill -9 of the replica's own; as a supervisor would, it is started again."""
        triton = self.tritons[_place(replica)]
        triton.kill()
        triton.process.wait()
        triton.start()


def _place(replica: str) -> int:
    return int(replica.rpartition("/")[2])


@contextmanager
def cluster(folder: Path, tritons: int, engine: dict[str, object], **settings: object) -> Iterator[Cluster]:
    """Started, ready, and stopped; afterwards nothing of it runs. The model is the environment's; settings as in A2_INFERENCE_*,
    `engine` those that it has wherever it runs."""
    port, http, haproxy, stats, ray, traces = free_ports(6)
    metrics = free_ports(1)[0]
    spans = f"http://127.0.0.1:{traces}"
    with ExitStack() as stack:
        pages = {"ray": ray, "haproxy": haproxy, "replica-0": metrics}
        servers = [
            stack.enter_context(starting(_new(folder / f"triton-{place}"), {"OMP_NUM_THREADS": "1"}, otlp_endpoint=spans, **engine))
            for place in range(tritons)
        ]
        pages |= {f"triton-{place}": triton.ports.metrics for place, triton in enumerate(servers)}
        chosen = (
            {
                "port": port,
                "http_port": http,
                "haproxy_metrics_port": haproxy,
                "haproxy_stats_port": stats,
                "ray_metrics_port": ray,
                "replica_metrics_port": metrics,
                "replica_port": free_block(701),
                "otlp_endpoint": spans,
                "lease_folder": folder / "places",
                "ray_folder": folder / "ray",
                "triton_urls": ",".join(triton.url for triton in servers),
            }
            | engine
            | settings
        )
        env = os.environ | {f"A2_INFERENCE_{name.upper()}": str(value) for name, value in chosen.items()} | {"OMP_NUM_THREADS": "1"}
        shown = json.dumps({name: f"http://127.0.0.1:{page}/metrics" for name, page in pages.items()})
        viewer = ["a2serve.local.traces", "--port", str(traces), "--servers", shown]
        stack.enter_context(_running(viewer, env, folder / "traces.log"))
        program = stack.enter_context(_running(["a2serve.inference.ray_program"], env, folder / "ray.log"))
        _wait_until_ready(program, folder / "ray.log")
        try:
            yield Cluster(port, metrics, stats, traces, tuple(servers), program)
        finally:
            for triton in servers:  # all at once: each takes seconds
                triton.process.terminate()


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


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
    return ResponseRequest(
        session, f"{session}-{turn}", (UserTurn(text),), ResponseOptions(4, tokens), motion_hz=30, burst=burst, tenant="dev"
    )


async def begun(client: GrpcInference, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
    """A response of which something came: a busy machine refuses more than one that is full, so ask again."""
    while True:
        stream = client.respond(request)
        try:
            await anext(stream)
            return stream
        except Problem as problem:
            assert problem.code is Code.NO_CAPACITY, problem
            await asyncio.sleep(0.2)


async def read(client: GrpcInference, request: ResponseRequest) -> list[Packet]:
    return [packet async for packet in client.respond(request)]


@dataclass
class Talker:
    """A session in which one response follows the other, until it is told to stop. Each must come whole."""

    client: GrpcInference
    session: str
    responses: int = 0
    waited: int = 0  # no slot anywhere: asked again later
    problems: list[str] = field(default_factory=list)  # anything else
    stopping: bool = False

    async def run(self) -> None:
        while not self.stopping:
            try:
                await self._respond()
            except Problem as problem:
                if problem.code is not Code.NO_CAPACITY:
                    self.problems.append(str(problem))
                self.waited += 1
                await asyncio.sleep((problem.retry_after_ms or 200) / 1000)

    async def _respond(self) -> None:
        at, whole = 0, False
        async with aclosing(self.client.respond(ask(self.session, turn=self.responses))) as stream:
            async for packet in stream:
                if packet.pts_samples != at:
                    self.problems.append(f"packet at {packet.pts_samples} where {at} was due")
                at, whole = at + len(packet.pcm16) // 2, packet.done is not None
        if not whole:
            self.problems.append("a response without an end")
        self.responses += 1
