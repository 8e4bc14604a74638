"""Readiness probes: each sends one request over the network and waits at most a second; `process` repeats them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from a2serve.local.ports import HOST

Probe: TypeAlias = Callable[[], Awaitable[bool]]
TIMEOUT_S = 1.0


def connects(port: int) -> Probe:
    """Makes a probe that is true once something listens on the port."""
    return lambda: _begins_with(port, b"", b"")


def http_ok(port: int, path: str) -> Probe:
    """Makes a probe that is true once GET `path` returns 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    return lambda: _begins_with(port, request.encode(), b" 200 ")


def redis_pong(port: int) -> Probe:
    """Makes a probe that is true once Redis or Valkey has loaded its file and answers."""
    return lambda: _begins_with(port, b"PING\r\n", b"+PONG")


async def _begins_with(port: int, question: bytes, expected: bytes) -> bool:
    """True if the beginning of the answer holds `expected`."""
    loop = asyncio.get_running_loop()
    try:
        # Not open_connection: in Python 3.11 it leaves the socket of a refused connection open.
        async with asyncio.timeout(TIMEOUT_S):
            with socket.socket() as connection:
                connection.setblocking(False)
                await loop.sock_connect(connection, (HOST, port))
                if not question:
                    return True
                await loop.sock_sendall(connection, question)
                return expected in await loop.sock_recv(connection, 64)
    except (OSError, TimeoutError):
        return False
