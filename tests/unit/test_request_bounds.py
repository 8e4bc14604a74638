"""Bounds of a request: its head is judged before its body, and a body is counted and timed as it comes."""

import asyncio
from typing import Any

import pytest

from a2serve.contracts.problems import Code
from a2serve.gateway.edge.request_bounds import BodyTooLarge, BodyTooSlow, RequestBounds

BOUNDS = RequestBounds(body_bytes=100, head_bytes=200, url_bytes=50, pause_s=0.05, whole_s=0.2)


def scope(path: str = "/v1/turns", query: str = "", **headers: str) -> dict[str, Any]:
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "raw_path": path.encode(), "query_string": query.encode(), "headers": named}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (scope(), None),
        (scope(content_length="100"), None),
        (scope(content_length="101"), Code.BODY_TOO_LARGE),
        (scope(content_length="5", transfer_encoding="chunked"), Code.INVALID_HTTP),
        (scope(path="/" + "a" * 40, query="q=" + "b" * 20), Code.URL_TOO_LONG),
        (scope(x_note="n" * 300), Code.HEADERS_TOO_LARGE),
    ],
)
def test_a_head_shows_most_faults(request_: dict[str, Any], code: Code | None) -> None:
    fault = BOUNDS.fault(request_)
    assert (fault.code if fault else None) == code


def receiving(*pieces: tuple[float, bytes]):
    """Pieces of a body, each after a pause in seconds; then that the client leaves."""
    waiting = list(pieces)

    async def receive() -> dict[str, Any]:
        if not waiting:
            return {"type": "http.disconnect"}
        pause_s, body = waiting.pop(0)
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    return receive


def read(*pieces: tuple[float, bytes], also: int = 0) -> list[dict[str, Any]]:
    async def scene() -> list[dict[str, Any]]:
        receive = BOUNDS.timed(receiving(*pieces))
        return [await receive() for _ in range(len(pieces) + also)]

    return asyncio.run(asyncio.wait_for(scene(), 10))


def test_a_body_of_the_right_size_passes_and_the_end_may_take_its_time() -> None:
    messages = read((0.0, b"a" * 60), (0.01, b"b" * 40), also=1)
    assert [message.get("body") for message in messages] == [b"a" * 60, b"b" * 40, None]


def test_a_body_without_a_stated_length_is_counted() -> None:
    with pytest.raises(BodyTooLarge, match="413"):
        read((0.0, b"a" * 60), (0.0, b"b" * 41))


@pytest.mark.parametrize("pieces", [[(0.2, b"a")], [(0.04, b"a")] * 8])
def test_a_body_may_not_pause_nor_trickle(pieces: list[tuple[float, bytes]]) -> None:
    with pytest.raises(BodyTooSlow, match=r"within 0\.2 s, and not pause for 0\.05 s"):
        read(*pieces)
