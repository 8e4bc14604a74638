"""Sockets of the attackers: opened with a key or a client secret, resumed, measured."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from bench.attack.stand import Part
from bench.realtime_client import Client, Event
from websockets.asyncio.client import connect

LONG = "Tell me a long story about a fisherman who finds a lighthouse on an island and decides to live there."
PATIENCE_S = 120.0


@asynccontextmanager
async def socket(gateway: Part, key: str, query: str = "") -> AsyncIterator[Client]:
    """An open socket, greeted. `key`: an API key or a client secret (ek_...)."""
    address = f"{gateway.url.replace('http', 'ws', 1)}/v1/realtime{query}"
    protocols = ["realtime", f"a2-client-secret.{key}"] if key.startswith("ek_") else None
    headers = {} if protocols else {"Authorization": f"Bearer {key}"}
    async with connect(
        address,
        additional_headers=headers,
        subprotocols=protocols,
        max_size=None,
        proxy=None,
        open_timeout=60,  # type: ignore[arg-type]
        ping_timeout=None,
        close_timeout=2,
    ) as opened:
        client = Client(opened)
        reading = asyncio.create_task(_read(client))
        try:
            await client.until(lambda events: [e for e in events if e.type in ("session.created", "error")], 60)
            if client.events[0].type == "error":
                raise PermissionError(str(client.events[0].body))
            yield client
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError):
                await reading


async def _read(client: Client) -> None:
    with suppress(Exception):  # a socket that is closed or killed simply ends
        await client.read()


def session_id(client: Client) -> str:
    """Session id from the client's session.created."""
    return client.events[0].body["session"]["id"]


def number(event: Event) -> int:
    """An event's number within its session, which its id ends in."""
    return int(event.body["event_id"].rpartition("_")[2])


async def settle(client: Client, **session: Any) -> None:
    """Changes settings and waits until they are acknowledged."""
    await client.send("session.update", session={"type": "realtime", **session})
    await client.first("session.updated")


async def say(client: Client, text: str) -> None:
    """Add a message of the user."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    await client.send("conversation.item.create", item=item)


async def response_begins(client: Client, text: str = LONG, *, words: int = 1) -> str:
    """Ask, and wait until so many pieces of the words of the answer have come; its id. Raises RuntimeError where it ended before."""
    response, _ = await client.ask(text)
    kinds = ("response.output_audio_transcript.delta", "response.output_text.delta")

    def begun(events: list[Event]) -> bool:
        mine = [event for event in events if event.response_id == response]
        if any(event.type == "response.done" for event in mine):
            raise RuntimeError(f"over already: {[e.body for e in mine if e.type == 'response.done']}")
        return sum(event.type in kinds for event in mine) >= words

    await client.until(begun, PATIENCE_S)
    return response


async def done(client: Client, response: str) -> dict[str, Any]:
    """The response as its `response.done` says."""
    return (await client.first("response.done", PATIENCE_S, response)).body["response"]


@asynccontextmanager
async def rest(gateway: Part, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """REST calls with a key."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx.AsyncClient(base_url=gateway.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


async def eventually(check: Any, seconds: float) -> Any:
    """The first true answer of `check()`, or the last one when time is up."""
    until_s = time.monotonic() + seconds
    while not (found := check()) and time.monotonic() < until_s:
        await asyncio.sleep(0.2)
    return found
