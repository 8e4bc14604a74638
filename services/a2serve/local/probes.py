"""Is it ready? One question over the network each, answered within a second; asked again and again by `process`."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from a2serve.local.ports import HOST

Probe: TypeAlias = Callable[[], Awaitable[bool]]
ANSWER_S = 1.0


def connects(port: int) -> Probe:
    """Somebody listens."""
    return lambda: _answers(port, b"", b"")


def http_ok(port: int, path: str) -> Probe:
    """GET answers 200."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    return lambda: _answers(port, request.encode(), b" 200 ")


def redis_pong(port: int) -> Probe:
    """Redis or Valkey has loaded its file and answers."""
    return lambda: _answers(port, b"PING\r\n", b"+PONG")


async def _answers(port: int, question: bytes, expected: bytes) -> bool:
    """The beginning of the answer holds what is expected."""
    loop = asyncio.get_running_loop()
    try:
        # Not open_connection: in Python 3.11 it leaves the socket of a refused connection open.
        async with asyncio.timeout(ANSWER_S):
            with socket.socket() as connection:
                connection.setblocking(False)
                await loop.sock_connect(connection, (HOST, port))
                if not question:
                    return True
                await loop.sock_sendall(connection, question)
                return expected in await loop.sock_recv(connection, 64)
    except (OSError, TimeoutError):
        return False
