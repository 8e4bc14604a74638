"""Redis servers of tests: Valkey of the tests, Redis as the system has it; alone, behind Sentinels, as a cluster."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from support.servers.gateway import free_port, process, valkey_command

SERVERS = ("valkey", "redis")
READY_S = 60.0


def server_command(server: str, port: int, folder: Path, **options: object) -> list[str]:
    """Its command line. Skips the test where the system has no redis-server."""
    command = valkey_command(port, folder)
    if server == "redis":
        found = shutil.which("redis-server")
        if found is None:
            pytest.skip("redis-server was not found: apt-get install redis-server")
        command = [found, *command[1:]]
    return [*command, *(word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", *str(value).split()))]


def ready(port: int, **options: object) -> None:
    """Waits until it answers."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            with Redis(port=port, **options) as redis:  # type: ignore[arg-type]
                redis.ping()
                return
        except RedisError:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def kill_all_connections(port: int) -> int:
    """Every client's but that of this call."""
    with Redis(port=port) as redis:
        return int(redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"))


@contextmanager
def sentinels_standing(folder: Path) -> Iterator[tuple[list[int], dict[int, subprocess.Popen[bytes]]]]:
    """A primary, a replica and three Sentinels; the Sentinels' ports, and the two servers' processes by port."""
    primary, replica, *watching = (free_port() for _ in range(5))
    with ExitStack() as stack:
        servers = {primary: stack.enter_context(process(valkey_command(primary, folder), primary, folder / "primary.log"))}
        follow = server_command("valkey", replica, folder, replicaof=f"127.0.0.1 {primary}", dbfilename="replica.rdb")
        servers[replica] = stack.enter_context(process(follow, replica, folder / "replica.log"))
        for port in watching:
            config = folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor mymaster 127.0.0.1 {primary} 2\n"
                "sentinel down-after-milliseconds mymaster 1000\nsentinel failover-timeout mymaster 5000\n"
            )
            stack.enter_context(process([valkey_command(port, folder)[0], str(config), "--sentinel"], port, folder / f"{port}.log"))
        _settled(watching)
        yield watching, servers


def _settled(sentinels: list[int]) -> None:
    """All know each other and the replica, so that they can agree."""
    deadline = time.monotonic() + READY_S
    for port in sentinels:
        with Redis(port=port) as redis:
            while True:
                state = redis.sentinel_master("mymaster")
                if state["num-other-sentinels"] == 2 and state["num-slaves"] == 1:
                    break
                assert time.monotonic() < deadline, state
                time.sleep(0.1)


@contextmanager
def cluster_standing(folder: Path, nodes: int = 3) -> Iterator[list[int]]:
    """A cluster without replicas, its slots shared among `nodes`."""
    ports = [free_port() for _ in range(nodes)]
    with ExitStack() as stack:
        for port in ports:
            own = {"cluster-enabled": "yes", "cluster-config-file": f"nodes-{port}.conf", "cluster-port": free_port()}
            stack.enter_context(process(server_command("valkey", port, folder, **own), port, folder / f"{port}.log"))
        _join(ports)
        yield ports


def _join(ports: list[int]) -> None:
    share = 16384 // len(ports)
    buses = {}
    for index, port in enumerate(ports):
        last = 16383 if port == ports[-1] else (index + 1) * share - 1
        with Redis(port=port) as redis:
            redis.execute_command("CLUSTER", "ADDSLOTSRANGE", index * share, last)
            redis.execute_command("CLUSTER", "SET-CONFIG-EPOCH", index + 1)
            buses[port] = int(redis.config_get("cluster-port")["cluster-port"])
    with Redis(port=ports[0]) as redis:
        for port in ports[1:]:
            redis.execute_command("CLUSTER", "MEET", "127.0.0.1", port, buses[port])
    deadline = time.monotonic() + READY_S
    for port in ports:
        with Redis(port=port) as redis:
            while "cluster_state:ok" not in str(redis.execute_command("CLUSTER", "INFO")):
                assert time.monotonic() < deadline
                time.sleep(0.1)
