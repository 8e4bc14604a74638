"""Probes against a listener that answers what it is told to."""

import asyncio
import socket
from collections.abc import Callable
from threading import Thread

import pytest

from a2serve.local.ports import free_ports
from a2serve.local.probes import Probe, connects, http_ok, redis_pong

PATIENCE_S = 120


def ask(make: Callable[[int], Probe], response: bytes | None) -> bool:
    """Result of a probe against a server that answers so; None: it listens and says nothing."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            connection.recv(1024)
            if response is None:
                connection.recv(1024)  # until the probe has gone
            else:
                connection.sendall(response)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE_S)
        serving = Thread(target=serve, args=[listener])
        serving.start()
        said = asyncio.run(make(listener.getsockname()[1])())
        serving.join(PATIENCE_S)
    return said


@pytest.mark.parametrize(("response", "ready"), [(b"HTTP/1.1 200 OK\r\n\r\n", True), (b"HTTP/1.1 503 No\r\n\r\n", False), (b"", False)])
def test_http(response: bytes, ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2serve.local.probes.TIMEOUT_S", PATIENCE_S)
    assert ask(lambda port: http_ok(port, "/readyz"), response) is ready


@pytest.mark.parametrize(("response", "ready"), [(b"+PONG\r\n", True), (b"-LOADING the file\r\n", False)])
def test_redis(response: bytes, ready: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2serve.local.probes.TIMEOUT_S", PATIENCE_S)
    assert ask(redis_pong, response) is ready


def test_a_port_where_nobody_listens() -> None:
    (port,) = free_ports(1)
    assert not asyncio.run(connects(port)())
    assert ask(connects, b"")


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2serve.local.probes.TIMEOUT_S", 0.2)
    assert ask(redis_pong, None) is False
