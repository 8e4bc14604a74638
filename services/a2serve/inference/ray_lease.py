"""Gives Ray's state in Redis a time to live, and renews it while the head runs: `python -m a2serve.inference.ray_lease SECONDS`.

Ray's GCS keeps the state of a cluster in Redis under `RAY<namespace>@…`, without an end. Somebody would have to clear it, and where a
Kubernetes namespace or a whole cluster is deleted nobody is left to do so. With a time to live Redis drops it by itself. A head that
comes back within it finds its state; Ray's workers give up a head after 600 s, so state that is older is of no use.

Reads Ray's own variables. Python's library is all it needs, so it is small beside a head.
"""

import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

RENEWALS = 10  # in one time to live; at least one each minute
PERIOD_S, TIMEOUT_S = 60.0, 10.0
BATCH = 1000  # keys that Redis looks at in one step
RENEWED = Path("/tmp/ray-lease")  # touched at each renewal; the liveness probe looks at its age
Command = Callable[..., Any]


class RedisError(OSError):
    """Redis answered, with an error."""


@contextmanager
def connected(env: Mapping[str, str]) -> Generator[Command]:
    """A function that sends one command to Ray's Redis and returns its answer. Raises OSError when Redis is not reached or refuses."""
    with _link(env) as link, link.makefile("rb") as connection:

        def command(*words: object) -> Any:
            parts = [str(word).encode() for word in words]
            link.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            return _read_value(connection)

        if password := env.get("REDIS_PASSWORD"):
            command("AUTH", *filter(None, (env.get("REDIS_USERNAME"), password)))
        yield command


def _link(env: Mapping[str, str]) -> socket.socket:
    url = urlsplit(env["RAY_REDIS_ADDRESS"].split(",")[0])
    host = url.hostname or ""
    plain = socket.create_connection((host, url.port or 6379), TIMEOUT_S)
    return _trust(env).wrap_socket(plain, server_hostname=host) if url.scheme == "rediss" else plain


def _trust(env: Mapping[str, str]) -> ssl.SSLContext:
    """TLS context for Redis: the authority of its certificate, and our own certificate where Redis asks for one."""
    found = ssl.create_default_context(cafile=env.get("RAY_REDIS_CA_CERT"))
    if certificate := env.get("RAY_REDIS_CLIENT_CERT"):
        found.load_cert_chain(certificate, env.get("RAY_REDIS_CLIENT_KEY"))
    return found


def _read_value(connection: BinaryIO) -> Any:
    """One value of Redis' protocol (RESP 2). Raises RedisError for an error, ConnectionError when the connection ends."""
    line = connection.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionError("Redis has closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"-":
        raise RedisError(rest.decode(errors="replace"))
    if kind == b"*":
        return [_read_value(connection) for _ in range(int(rest))]
    if kind == b"$" and int(rest) >= 0:
        return connection.read(int(rest) + 2)[:-2].decode()
    return int(rest) if kind == b":" else rest.decode()


def keys(command: Command, namespace: str) -> Iterator[str]:
    """Yields the keys of one Ray cluster."""
    cursor = "0"
    while True:
        cursor, found = command("SCAN", cursor, "MATCH", f"RAY{namespace}@*", "COUNT", BATCH)
        yield from found
        if cursor == "0":
            return


def renew(env: Mapping[str, str], lease_s: int) -> int:
    """The number of keys that now live for `lease_s`. Raises OSError as `connected` does."""
    with connected(env) as command:
        return sum(command("EXPIRE", key, lease_s) for key in keys(command, env["RAY_external_storage_namespace"]))


def main(lease_s: int) -> None:
    """Until SIGTERM. Tries again where Redis is not reached: its keys live on meanwhile."""
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    count, period_s = -1, min(PERIOD_S, lease_s / RENEWALS)
    while not stop.is_set():
        try:
            if (now := renew(os.environ, lease_s)) != count:
                print(f"{now} keys live for {lease_s} s", flush=True)
            count = now
            RENEWED.touch()
        except OSError as error:
            print(f"not renewed: {error}", file=sys.stderr, flush=True)
        stop.wait(period_s)


if __name__ == "__main__":
    main(int(sys.argv[1]))
