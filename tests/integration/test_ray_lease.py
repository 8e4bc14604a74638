"""Ray's state in Redis lives as long as somebody renews it: the program beside a head, against a real Valkey."""

import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis import Redis
from support.certificates import Authority
from support.servers.gateway import free_port, process, valkey_command

from a2serve.inference.ray_lease import BATCH, RedisError, renew

OWN, OTHERS = "RAYuid-1@", ("RAYuid-10@KV", "RAYuid-2@KV", "a2:session")
WAIT_S = 20.0


def variables(port: int, **more: str) -> dict[str, str]:
    return {"RAY_REDIS_ADDRESS": f"redis://127.0.0.1:{port}", "RAY_external_storage_namespace": "uid-1", **more}


def written(redis: "Redis", *names: str) -> None:
    """Writes state as GCS does: a hash for each table."""
    for name in names:
        redis.hset(f"{OWN}{name}", "key", "state")


def until(look: Callable[[], object]) -> None:
    last_s = time.monotonic() + WAIT_S
    while not look():
        assert time.monotonic() < last_s
        time.sleep(0.05)


@contextmanager
def lease(port: int, seconds: int, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """The program as the chart starts it; killed at the end."""
    command = [sys.executable, "-m", "a2serve.inference.ray_lease", str(seconds)]
    with log.open("wb") as file:
        running = subprocess.Popen(command, env=variables(port), stdout=file, stderr=file)
    try:
        yield running
    finally:
        running.kill()
        running.wait(10)


def test_only_the_keys_of_its_own_cluster_expire(valkey_port: int) -> None:
    with Redis(port=valkey_port, decode_responses=True) as redis:
        for key in OTHERS:
            redis.set(key, 1)
        count = 2 * BATCH + 1  # more than one look
        written(redis, *map(str, range(count)))
        assert renew(variables(valkey_port), 100) == count
        assert all(0 < redis.ttl(key) <= 100 for key in redis.scan_iter(f"{OWN}*"))
        assert [redis.ttl(key) for key in OTHERS] == [-1, -1, -1]


def test_state_outlives_many_leases_while_it_is_renewed_and_none_after(valkey_port: int, tmp_path: Path) -> None:
    log = tmp_path / "lease.log"
    with Redis(port=valkey_port, decode_responses=True) as redis:
        with lease(valkey_port, 1, log) as running:
            written(redis, "KV")
            until(lambda: redis.ttl(f"{OWN}KV") >= 0)
            written(redis, "JOB", "KV")  # a table that comes later, and another write, which takes no lease away
            time.sleep(2.5)
            assert redis.exists(f"{OWN}KV", f"{OWN}JOB") == 2
            running.terminate()
            assert running.wait(10) == 0, log.read_text()
        until(lambda: not redis.exists(f"{OWN}KV", f"{OWN}JOB"))


def test_it_goes_on_when_redis_was_away(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "lease.log"
    with lease(port, 2, log) as running:
        until(lambda: "not renewed" in log.read_text())
        with process(valkey_command(port, tmp_path), port, tmp_path / "valkey.log"), Redis(port=port) as redis:
            written(redis, "KV")
            until(lambda: redis.ttl(f"{OWN}KV") >= 0)
        assert running.poll() is None


def test_a_password_is_asked_for_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    port = free_port()
    with process([*valkey_command(port, tmp_path), "--requirepass", "secret"], port, tmp_path / "valkey.log"):
        with Redis(port=port, password="secret") as redis:
            redis.acl_setuser("ray", enabled=True, passwords=["+hidden"], keys=["RAY*"], commands=["+scan", "+expire"])
            written(redis, "KV")
        assert renew(variables(port, REDIS_PASSWORD="secret"), 100) == 1
        assert renew(variables(port, REDIS_USERNAME="ray", REDIS_PASSWORD="hidden"), 100) == 1
        with pytest.raises(RedisError, match="NOAUTH"):
            renew(variables(port), 100)
        with pytest.raises(RedisError, match="WRONGPASS"):
            renew(variables(port, REDIS_PASSWORD="other"), 100)


@contextmanager
def tls_before(port: int, authority: Authority) -> Iterator[int]:
    """The port of a TLS server that asks for certificates and passes commands on to the Redis at `port`, which has no TLS in the tests."""
    server = authority.identity("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate))
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED

    class Passing(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as client,
                socket.create_connection(("127.0.0.1", port)) as redis,
            ):
                while command := client.recv(1 << 16):
                    redis.sendall(command)
                    client.sendall(redis.recv(1 << 16))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passing) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


def test_tls_with_certificates_of_both_sides(valkey_port: int, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.identity("client")
    trust = {"RAY_REDIS_CA_CERT": str(authority.certificate)}
    ours = {"RAY_REDIS_CLIENT_CERT": str(own.certificate), "RAY_REDIS_CLIENT_KEY": str(own.key)}
    with Redis(port=valkey_port) as redis, tls_before(valkey_port, authority) as port:
        written(redis, "KV")
        address = {"RAY_REDIS_ADDRESS": f"rediss://127.0.0.1:{port}"}
        assert renew(variables(port, **address, **trust, **ours), 100) == 1
        for some in (trust, ours):
            with pytest.raises(OSError):
                renew(variables(port, **address, **some), 100)
