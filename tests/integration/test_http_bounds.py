"""Slow, large and broken requests, over plain sockets: each ends in time, with a status, and hurts nobody."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import websockets
from support.servers.gateway import WAIT_S, GatewayStand, eventually, gateway_standing, run

from a2serve.gateway.edge import http_bounds

Test = Callable[[GatewayStand], Awaitable[None]]
QUICK: dict[str, Any] = {"header_timeout_s": 0.3, "body_pause_s": 0.3, "body_timeout_s": 1.0, "send_timeout_s": 0.5}


@pytest.fixture
def stand(valkey_port: int, tmp_path: Path) -> Callable[..., None]:
    def go(test: Test, **settings: Any) -> None:
        async def within() -> None:
            async with gateway_standing(tmp_path, valkey_port, **(QUICK | settings)) as made:
                await test(made)

        run(within)

    return go


@asynccontextmanager
async def connected(made: GatewayStand) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def rest(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server ends the connection."""
    async with asyncio.timeout(WAIT_S):
        return await reader.read()


def check(response: bytes, status: int, code: str) -> None:
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), response
    problem = json.loads(body)
    assert problem["code"] == code and b"application/problem+json" in head
    assert f"x-request-id: {problem['request_id']}".encode() in head and b"connection: close" in head.lower()


def post(made: GatewayStand, *more: str, key: str | None = None, path: str = "/v1/sessions") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: a",
        "Content-Type: application/json",
        f"Authorization: Bearer {key or made.keys['acme']}",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_headers_that_do_not_come(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with connected(made) as (reader, _):
            assert await rest(reader) == b"", "nothing was asked, nothing is said"
        async with connected(made) as (reader, writer):
            for character in b"GET /healthz HTTP/1.1\r\nHo":
                writer.write(bytes([character]))
                await asyncio.sleep(0.001)
            check(await rest(reader), 408, "request_timeout")
        async with connected(made) as (reader, writer):  # the second request of a connection
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            await reader.readuntil(b'{"status":"ok"}')
            writer.write(b"GET /he")
            check(await rest(reader), 408, "request_timeout")

    stand(test)


def test_a_body_that_does_not_come(stand) -> None:
    async def test(made: GatewayStand) -> None:
        for more in ("Content-Length: 99", "Transfer-Encoding: chunked"):
            async with connected(made) as (reader, writer):
                writer.write(post(made, more))
                check(await rest(reader), 408, "request_timeout")
        async with connected(made) as (reader, writer):  # each byte in time, all of it not
            writer.write(post(made, "Content-Length: 99"))
            dribble = asyncio.create_task(_dribble(writer))
            await asyncio.sleep(1.6)  # what comes after the refusal takes nothing of it away
            check(await rest(reader), 408, "request_timeout")
            assert not dribble.done(), "the connection was reset"
            dribble.cancel()

    stand(test)


async def _dribble(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


def test_who_has_no_key_is_refused_before_the_body_is_read(stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_bounds, "LINGER_S", 0.3)

    async def test(made: GatewayStand) -> None:
        for path in ("/v1/sessions", "/v1/sessions/sess_0123456789/turns", "/v1/personas", "/v1/realtime/client_secrets", "/v1/traces"):
            async with connected(made) as (reader, writer):
                writer.write(post(made, "Content-Length: 11000000", key="a2_wrong", path=path))
                response = await rest(reader)  # it comes without a byte of the body, and then the connection ends
                assert response.startswith(b"HTTP/1.1 401 ") and b'"unauthorized"' in response

    stand(test, body_pause_s=60.0, body_timeout_s=60.0)


def test_large_heads(stand) -> None:
    async def test(made: GatewayStand) -> None:
        for head, status, code in (
            (f"GET /v1/sessions/{'x' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", 414, "url_too_long"),
            (f"GET /v1/avatars?{'x' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n", 414, "url_too_long"),
            (f"GET /healthz HTTP/1.1\r\nHost: a\r\nX: {'x' * 40_000}\r\n\r\n", 431, "headers_too_large"),
            (f"GET /healthz HTTP/1.1\r\nHost: a\r\nX: {'x' * 400_000}", 431, "headers_too_large"),
        ):
            async with connected(made) as (reader, writer):
                writer.write(head.encode())
                check(await rest(reader), status, code)

    stand(test, header_timeout_s=10.0)


def test_what_is_no_request(stand) -> None:
    async def test(made: GatewayStand) -> None:
        for raw in (
            b"hello\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        ):
            async with connected(made) as (reader, writer):
                writer.write(raw + b"\r\n\r\n")
                check(await rest(reader), 400, "invalid_request")
        smuggled = b"2\r\n{}\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        async with connected(made) as (reader, writer):
            writer.write(post(made, "Content-Length: 2", "Transfer-Encoding: chunked") + smuggled)
            response = await rest(reader)
            check(response, 400, "invalid_request")
            assert response.count(b"HTTP/1.1 ") == 1, "what stands behind it is no request"
        async with connected(made) as (reader, writer):
            writer.write(post(made, "Transfer-Encoding: chunked") + b"zz\r\n")
            check(await rest(reader), 400, "invalid_request")

    stand(test)


def test_connections_are_bounded_and_probes_pass(stand) -> None:
    async def test(made: GatewayStand) -> None:
        headers = {"authorization": f"Bearer {made.keys['acme']}"}
        async with (
            websockets.connect(made.socket_url, additional_headers=headers),
            websockets.connect(made.socket_url, additional_headers=headers),
        ):
            async with made.client() as client:
                refused = await client.get("/v1/avatars")
                assert (refused.status_code, refused.json()["code"]) == (503, "too_many_connections")
                assert int(refused.headers["retry-after"]) > 0
                assert (await client.get("/healthz")).status_code == 200
                assert (await client.get("/readyz")).status_code == 200
            with pytest.raises(websockets.InvalidStatus) as caught:
                async with websockets.connect(made.socket_url, additional_headers=headers):
                    pass
            assert caught.value.response.status_code == 503
        assert await eventually(lambda: len(made.parts.connections.live) == 0)
        async with made.client() as client:
            assert (await client.get("/v1/avatars")).status_code == 200

    stand(test, max_connections=2)


def test_one_address_has_its_share(stand) -> None:
    async def test(made: GatewayStand) -> None:
        async with connected(made), connected(made), connected(made) as (reader, _):
            check(await rest(reader), 503, "too_many_connections")

    stand(test, max_connections_per_address=2, header_timeout_s=30.0)


def test_who_does_not_read_its_answer_is_cut_off(stand, tmp_path: Path) -> None:
    heads = tmp_path / "heads"
    heads.mkdir()
    (heads / "ada.glb").write_bytes(bytes(64 << 20))

    async def test(made: GatewayStand) -> None:
        async with connected(made) as (_, writer):
            writer.write(b"GET /avatars/ada.glb HTTP/1.1\r\nHost: a\r\n\r\n")
            await eventually(lambda: len(made.parts.connections.live) == 1)
            assert await eventually(lambda: len(made.parts.connections.live) == 0)

    stand(test, avatars_folder=heads)


def test_what_browsers_may_do_is_said(stand, tmp_path: Path) -> None:
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>hello</h1>")

    async def test(made: GatewayStand) -> None:
        async with made.client() as client:
            for path, framed in (("/v1/avatars", "default-src 'none'; frame-ancestors 'none'"), ("/", "frame-ancestors 'none'")):
                headers = (await client.get(path)).headers
                assert headers["x-content-type-options"] == "nosniff" and framed in headers["content-security-policy"], path

    stand(test, web_folder=page)
