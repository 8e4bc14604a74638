"""A real Valkey in which Ray's state of one Ray cluster stands: written here under the keys of Ray's GCS, cleared by whoever must."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from support.servers.gateway import valkey_command

from a2serve.local.ports import free_ports
from kube.processes import running, until
from kube.release import SECRET_VALUE, Release

TABLES = ("JOB", "ACTOR", "NODE", "KV", "JobCounter")
OTHER = "a2:session:someone"  # gateways keep their own in the same Redis


class RayState:
    """In the Valkey at `address`."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self._redis = redis.Redis(port=port, password=SECRET_VALUE, decode_responses=True, socket_timeout=10)

    def write(self, found: Release, cluster: str) -> None:
        """Writes what the cluster's head and a gateway would."""
        heads = [pod for pod in found.pods(ray="head") if pod["metadata"]["labels"]["ray.io/cluster"] == cluster]
        env = heads[0]["spec"]["containers"][0]["env"]
        space = next(each["value"] for each in env if each["name"] == "RAY_external_storage_namespace")
        for table in TABLES:
            self._redis.hset(f"RAY{space}@{table}", mapping={"key": "state"})
        self._redis.set(OTHER, "x")

    def keys(self) -> list[str]:
        """Ray's."""
        return sorted(map(str, self._redis.scan_iter("RAY*")))

    def longest_s(self) -> int:
        """Until the last of them expires; a year for one that never does."""
        return max(ttl if ttl >= 0 else 365 * 86400 for ttl in map(self._redis.ttl, self.keys()))

    def others(self) -> int:
        return len(list(self._redis.scan_iter(OTHER)))

    def responds(self) -> bool:
        try:
            return bool(self._redis.ping())
        except redis.RedisError:
            return False

    def close(self) -> None:
        self._redis.close()


@contextmanager
def ray_state() -> Iterator[RayState]:
    """It asks for the password that is in the Secrets of a release."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="a2llm-valkey-") as name:
        command = [*valkey_command(port, Path(name)), "--requirepass", SECRET_VALUE]
        with running("valkey", *command, log=Path(name)):
            state = RayState(port)
            try:
                until("Valkey answers", state.responds, 30)
                yield state
            finally:
                state.close()
