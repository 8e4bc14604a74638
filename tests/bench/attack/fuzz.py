"""Plain JSON in every field of every endpoint and event: no answer is a 5xx, no socket dies."""

import asyncio
import json
import random
from contextlib import suppress
from typing import Any

from bench.attack.stand import Part, Stand
from bench.attack.talk import Client, rest, socket
from support.any_json import NASTY, bodies, events

REQUESTS, EVENTS, AT_ONCE = 5000, 1500, 8
JSON = {"content-type": "application/json"}
QUERIES = (
    "/v1/usage?start={}",
    "/v1/usage?end={}",
    "/v1/usage?group_by={}",
    "/v1/sessions/{}",
    "/v1/sessions/{}/items?after={}",
    "/v1/personas/{}",
    "/v1/personas?after={}",
    "/v1/sessions?limit={}",
)
WORDS = (
    "0",
    "-1",
    "9" * 30,
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "0.5",
    "NaN",
    "%00",
    "%ed%a0%80",
    "..%2f..%2fetc",
    "é",
    "x" * 3000,
)
# The model would answer these for as long as they last; what is wrong in them is refused before that.
SLOW = ("/v1/sessions/{session_id}/turns",)
SLOW_SHARE = 0.02


async def fuzz(stand: Stand) -> dict[str, float]:
    """Bodies from the OpenAPI document and the schema of each event, one field of each spoiled. Seeded: the same each time."""
    chosen = random.Random(0)
    gateway = stand.gateways[1]
    async with rest(gateway, stand.keys["hooli"]) as calls:
        document = (await calls.get("/openapi.json")).json()
        session = (await calls.post("/v1/sessions", json={})).json()["id"]
        statuses = await _send(calls, _requests(document, chosen), session)
    failed = [place for place, status in statuses if status >= 500]
    killed = await _sockets(gateway, stand.keys["hooli"], chosen)
    accepted = sum(status < 300 for _, status in statuses)
    return {
        "fuzz_requests": len(statuses),
        "fuzz_accepted": accepted,
        "fuzz_5xx": len(failed),
        "fuzz_events": EVENTS,
        "sockets_killed_by_json": killed,
    }


def _requests(document: dict[str, Any], chosen: random.Random) -> list[tuple[str, str, bytes]]:
    """Method, route and body: spoiled bodies, then spoiled queries, some of them again until they are REQUESTS."""
    spoiled = bodies(document, NASTY)
    slow = [body for body in spoiled if body[0] in SLOW]
    kept = [body for body in spoiled if body[0] not in SLOW] + chosen.sample(slow, int(len(slow) * SLOW_SHARE))
    asked = [("POST", *body) for body in kept]
    asked += [("GET", query.format(*[word] * query.count("{}")), b"") for query in QUERIES for word in WORDS]
    return [*asked, *chosen.choices(asked, k=max(0, REQUESTS - len(asked)))]


async def _send(calls: Any, asked: list[tuple[str, str, bytes]], session: str) -> list[tuple[str, int]]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(method: str, route: str, body: bytes) -> tuple[str, int]:
        async with limit:
            path = route.replace("{session_id}", session).replace("{name}", "x")
            response = await calls.request(method, path, content=body or None, headers=JSON if body else None)
            return f"{method} {route} {body[:200]!r}", response.status_code

    return list(await asyncio.gather(*(one(*each) for each in asked)))


def _events(chosen: random.Random) -> list[bytes]:
    """Spoiled events, but for response.create, each of which would be an answer."""
    return chosen.choices([event for event in events(NASTY) if b'"response.create"' not in event], k=EVENTS)


async def _sockets(gateway: Part, key: str, chosen: random.Random) -> int:
    """Events over sockets that are opened anew when one dies: how many died."""
    killed, left = 0, _events(chosen)
    while left:
        async with socket(gateway, key) as client:
            left = await _until_dead(client, left)
        killed += bool(left)
    return killed


async def _until_dead(client: Client, frames: list[bytes]) -> list[bytes]:
    """The events that are left: none, unless the socket died."""
    for index, frame in enumerate(frames):
        try:
            await client.socket.send(frame.decode())
            if index % 20 == 19 or index == len(frames) - 1:
                await _alive(client, index)
        except Exception:  # noqa: BLE001 - dead, of whatever
            return frames[index + 1 :]
    return []


async def _alive(client: Client, index: int) -> None:
    mark = f"mark_{index}"
    await client.send("conversation.item.retrieve", item_id="none", event_id=mark)

    def answered(found: list[Any]) -> bool:
        return any(event.type == "error" and event.body["error"].get("event_id") == mark for event in found)

    waiting, closed = asyncio.create_task(client.until(answered, 60)), asyncio.create_task(client.socket.wait_closed())
    finished, _ = await asyncio.wait({waiting, closed}, return_when=asyncio.FIRST_COMPLETED)
    for task in (waiting, closed):
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
    if waiting not in finished:
        raise ConnectionError(json.dumps({"after": index}))
