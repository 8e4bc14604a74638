"""Two people at once before the real product: neither ever receives a byte of the other's.

Fifty turns against a scripted model: integration/test_realtime_robust.py. Here both ask at the same moment, so that the real engine
speaks to both in one batch.
"""

import asyncio
import base64
import json

from bench.realtime_client import Client, session
from bench.service import Service

TURNS = 5  # of each
NAMES = ("Zebulon", "Quentin")
ID_FIELDS = ("response_id", "item_id", "call_id")


async def talk(client: Client, name: str, together: asyncio.Barrier) -> None:
    for turn in range(TURNS):
        await together.wait()
        response_id, _ = await client.ask(f"My name is {name}. What is my name? Say number {turn}.", max_output_tokens=4)
        await client.first("response.done", response_id=response_id)


async def both(product: Service) -> list[Client]:
    together = asyncio.Barrier(len(NAMES))
    async with session(product.url, product.key) as one, session(product.url, product.key) as two, asyncio.TaskGroup() as tasks:
        for client, name in zip((one, two), NAMES, strict=True):
            tasks.create_task(talk(client, name, together))
    return [one, two]


def ids(client: Client) -> set[str]:
    """Every id of a session, a response or an item that it was sent."""
    found: set[str] = set()
    for event in client.events:
        bodies = [event.body, *(event.body.get(part) or {} for part in ("session", "response", "item"))]
        found |= {str(body[field]) for body in bodies for field in ("id", *ID_FIELDS) if body.get(field)}
    return found


def sound(client: Client) -> list[bytes]:
    return [base64.b64decode(event.body["delta"]) for event in client.events if event.type == "response.output_audio.delta"]


def test_two_at_once_never_get_a_byte_of_the_other(product: Service) -> None:
    clients = asyncio.run(both(product))
    assert ids(clients[0]) and not ids(clients[0]) & ids(clients[1])
    assert not {data for data in sound(clients[0]) if any(data)} & set(sound(clients[1]))
    for client, other in zip(clients, reversed(NAMES), strict=True):
        assert other not in json.dumps([event.body for event in client.events])
        asked = [event.response_id for event in client.events if event.type == "response.created"]
        media = {event.response_id for event in client.events if event.is_media}
        assert len(asked) == TURNS and media == set(asked)
