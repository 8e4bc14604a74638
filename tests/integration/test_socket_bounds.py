"""WebSockets of hostile clients, over plain sockets: pings that are not read, messages in crumbs, connections that are not let go."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.servers.gateway import GatewayStand, eventually, gateway_standing, run
from websockets.frames import Frame, Opcode

from a2serve.gateway.edge import socket_bounds
from a2serve.gateway.edge.http_bounds import server_config
from a2serve.gateway.realtime.connection import socket_route as realtime_socket

Test = Callable[[GatewayStand], Awaitable[None]]
PINGS, CRUMBS = 200_000, 100_000


@pytest.fixture
def stand(valkey_port: int, tmp_path: Path) -> Callable[[Test], None]:
    def go(test: Test) -> None:
        async def within() -> None:
            async with gateway_standing(tmp_path, valkey_port) as made:
                await test(made)

        run(within)

    return go


def wire(opcode: Opcode, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return Frame(opcode, payload, fin=fin).serialize(mask=True)


@asynccontextmanager
async def opened(made: GatewayStand) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter, Any]]:
    """An upgraded connection whose client reads little at once, and the server's end of it."""
    near = socket.socket()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    near.connect(("127.0.0.1", made.port))
    reader, writer = await asyncio.open_connection(sock=near, limit=4096)
    lines = (
        "GET /v1/realtime HTTP/1.1",
        "Host: a",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        f"Authorization: Bearer {made.keys['acme']}",
    )
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    try:
        (end,) = made.parts.connections.live
        yield reader, writer, end
    finally:
        writer.transport.abort()


def test_pongs_that_are_not_read_do_not_pile_up(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with opened(made) as (_, writer, end):
            ping = wire(Opcode.PING, b"x" * 125)
            for _ in range(PINGS // 1000):
                writer.write(ping * 1000)
                await writer.drain()
                assert end.transport.get_write_buffer_size() < 2 << 20

    stand(test)


def test_a_message_in_crumbs_costs_what_it_holds(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with opened(made) as (reader, writer, end):
            text = json.dumps({"type": "nothing", "event_id": "crumbs"}).encode()
            writer.write(wire(Opcode.TEXT, text[:9], fin=False))
            writer.write(wire(Opcode.CONT, fin=False) * CRUMBS + b"".join(wire(Opcode.CONT, bytes([c]), fin=False) for c in text[9:]))
            await writer.drain()
            assert await eventually(lambda: len(end._message or b"") == len(text))
            assert len(end.frames) == 1, "no list of crumbs"
            writer.write(wire(Opcode.CONT))
            await asyncio.wait_for(reader.readuntil(b'"crumbs"'), 10)

    stand(test)


def test_who_stops_reading_loses_connection_and_place(stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_bounds, "LINGER_S", 0.3)
    monkeypatch.setattr(socket_bounds.BoundedSocket, "close_timeout", 0.3, raising=False)
    monkeypatch.setattr(realtime_socket, "CLOSE_S", 0.3)
    item = {"type": "message", "role": "user", "id": "long", "content": [{"type": "input_text", "text": "x" * 1_000_000}]}

    async def test(made: GatewayStand) -> None:
        parts = made.app.state.realtime.parts
        made.app.state.realtime.parts = replace(parts, limits=replace(parts.limits, stall_s=0.3))
        async with opened(made) as (_, writer, _end):
            writer.write(wire(Opcode.TEXT, json.dumps({"type": "conversation.item.create", "item": item}).encode()))
            with suppress(ConnectionError):
                for _ in range(20):
                    writer.write(wire(Opcode.TEXT, b'{"type": "conversation.item.retrieve", "item_id": "long"}'))
            assert await eventually(lambda: not made.app.state.realtime.sessions, 30)
            assert await eventually(lambda: not made.parts.connections.live, 30), "its connection and what waits in it stay"
            assert await made.parts.limits.live_sessions("acme") == 0

    stand(test)


def test_a_socket_full_of_frames_is_read_in_small_turns(stand) -> None:
    """256 KiB of empty fragments took seconds in which the gateway did nothing else."""

    async def test(made: GatewayStand) -> None:
        async with opened(made) as (_, writer, end):
            taken: list[int] = []
            take = end.data_received
            end.data_received = lambda data: (taken.append(len(data)), take(data))
            writer.write(wire(Opcode.TEXT, b"{", fin=False) + wire(Opcode.CONT, fin=False) * CRUMBS)
            await writer.drain()
            assert await eventually(lambda: sum(taken) > 500_000)
            assert max(taken) <= socket_bounds.READ_BYTES
        assert server_config(made.app, made.settings).loop == "asyncio", "uvloop has no such bound"

    stand(test)
