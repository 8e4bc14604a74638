"""One client sends items without a pause: does a neighbour wait, and what does it cost the gateway?"""

import asyncio
import time
from contextlib import suppress

from bench.attack.stand import Part, Stand
from bench.attack.talk import Client, say, socket

ITEMS = 1000
WARM_S, CONTROL_S, AFTER_S = 3.0, 10.0, 3.0
PAUSE_S = 0.05


async def flood(stand: Stand) -> dict[str, float]:
    """neighbour_wait_ms_* are the longest of their time; CPU is the gateway's own, so a busy machine changes it little."""
    gateway, _ = stand.gateways
    async with socket(gateway, stand.keys["globex"]) as neighbour, socket(gateway, stand.keys["acme"]) as attacker:
        await _waits(neighbour, asyncio.create_task(asyncio.sleep(WARM_S)))  # the first ones wait for what is made once
        control = await _waits(neighbour, asyncio.create_task(asyncio.sleep(CONTROL_S)))
        cpu_s, memory_mb = gateway.cpu_s, gateway.memory_mb
        began_s = time.monotonic()
        waits = await _waits(neighbour, asyncio.create_task(_items(attacker)))
        took_s = time.monotonic() - began_s
        acknowledged = sum(event.type == "conversation.item.added" for event in attacker.events)
        idle_cpu_s = await _idle_cpu_s(gateway, neighbour, took_s)
        return {
            "neighbour_wait_ms_control": round(1000 * max(control), 1),
            "neighbour_wait_ms_under_items": round(1000 * max(waits), 1),
            "items_acknowledged": acknowledged,
            "gateway_cpu_s_per_1000_items": round(max(0.0, gateway.cpu_s - cpu_s - 2 * idle_cpu_s) * 1000 / ITEMS, 3),
            "memory_growth_mb": round(gateway.memory_mb - memory_mb, 1),
        }


async def _idle_cpu_s(gateway: Part, neighbour: Client, took_s: float) -> float:
    """CPU seconds that the neighbour alone costs in the same time."""
    cpu_s = gateway.cpu_s
    await _waits(neighbour, asyncio.create_task(asyncio.sleep(took_s)))
    return gateway.cpu_s - cpu_s


async def _items(attacker: Client) -> None:
    for index in range(ITEMS):
        await say(attacker, f"Item number {index} of a history that is being restored.")
    with suppress(TimeoutError):
        await attacker.until(lambda events: sum(e.type == "conversation.item.added" for e in events) >= ITEMS, 60)
    await asyncio.sleep(AFTER_S)


async def _waits(neighbour: Client, during: asyncio.Task[None]) -> list[float]:
    """How long each of the neighbour's small questions waited, until `during` has ended."""
    waits: list[float] = []
    while not during.done():
        before, asked_s = len(neighbour.events), await neighbour.send("session.update", session={"type": "realtime"})
        updated = await neighbour.until(lambda events, before=before: [e for e in events[before:] if e.type == "session.updated"], 60)
        waits.append(updated[0].at_s - asked_s)
        await asyncio.sleep(PAUSE_S)
    await during
    return waits
