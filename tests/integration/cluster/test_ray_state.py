"""State that Ray's own GCS keeps in Redis, with the program that renews it: a head that comes back finds it, later none does."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis
from support.servers.gateway import free_port, process, valkey_command

from a2serve.local import tie

PASSWORD, NAMESPACE = "secret", "5d9f1c52-0000-4000-8000-1b2c3d4e5f60"
LEASE_S, START_S, LOOK_S = 15, 90.0, 0.2
# A head as `ray start --head` makes it, in one process group; it says what an earlier one has left in GCS, and leaves something.
HEAD = f"""
import sys, ray
from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_put
own = dict(num_cpus=0, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20)
ray.init(address="local", _redis_password="{PASSWORD}", **own)
print("found", _internal_kv_get("left"), flush=True)
_internal_kv_put("left", "by the first")
sys.stdin.read()
ray.shutdown()
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Environment of head and lease, with their Valkey."""
    port = free_port()
    with process([*valkey_command(port, tmp_path), "--requirepass", PASSWORD], port, tmp_path / "valkey.log"):
        yield {
            **os.environ,
            "RAY_REDIS_ADDRESS": f"redis://127.0.0.1:{port}",
            "REDIS_PASSWORD": PASSWORD,
            "RAY_external_storage_namespace": NAMESPACE,
            "RAY_USAGE_STATS_ENABLED": "0",
        }


@contextmanager
def program(*command: str, environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """It ends when its standard input does, or is told to."""
    tied = [sys.executable, tie.__file__, str(os.getpid()), sys.executable, *command]
    with log.open("wb") as file, subprocess.Popen(tied, env=environment, stdin=subprocess.PIPE, stdout=file, stderr=file) as running:
        try:
            yield running
        except BaseException:
            running.kill()
            raise


def until(look: Callable[[], object], log: Path) -> None:
    last_s = time.monotonic() + START_S
    while not look():
        assert time.monotonic() < last_s, log.read_text()
        time.sleep(LOOK_S)


def found_by_a_head(environment: dict[str, str], log: Path) -> str:
    """Output of the program, which has ended when this returns."""
    with program("-c", HEAD, environment=environment, log=log):
        until(lambda: "found" in log.read_text(), log)
    return next(line for line in log.read_text().splitlines() if line.startswith("found"))


def test_a_head_that_comes_back_finds_its_state_and_none_outlives_the_lease(environment: dict[str, str], tmp_path: Path) -> None:
    port = int(environment["RAY_REDIS_ADDRESS"].rpartition(":")[2])
    with Redis(port=port, password=PASSWORD, decode_responses=True) as redis:
        command = ("-m", "a2serve.inference.ray_lease", str(LEASE_S))
        with program(*command, environment=environment, log=tmp_path / "lease.log") as lease:
            assert found_by_a_head(environment, tmp_path / "first.log") == "found None"
            time.sleep(1.5 * LEASE_S)
            keys = list(redis.scan_iter())
            assert keys and all(key.startswith(f"RAY{NAMESPACE}@") and 0 < redis.ttl(key) <= LEASE_S for key in keys), keys
            assert found_by_a_head(environment, tmp_path / "second.log") == "found b'by the first'"
            lease.terminate()
        until(lambda: not list(redis.scan_iter()), tmp_path / "lease.log")
        assert found_by_a_head(environment, tmp_path / "third.log") == "found None"
