"""What one client that creates items as fast as it can costs a gateway, and how long another tenant's client waits meanwhile.

    python tests/bench/flood.py [items ...]        # default: 0 250 500 1000

A gateway process, a Valkey and a scripted model on this machine. CPU seconds and memory are the gateway's; waits are wall time
and mean something beside the control (0 items) of the same run only.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from gateway_stand import GatewayProcess, free_port, gateway_process, process, scripted, talking, valkey_command
from realtime_stand import Client, Script

from a2serve.gateway.access.tenants import create_key

TEXT = "A sentence of a history that is restored, as long as people say them. " * 4
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def flood(client: Client, count: int) -> None:
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": TEXT}]}
    frame = json.dumps({"type": "conversation.item.create", "item": item})
    for _ in range(count):
        await client.socket.send(frame)


async def acknowledged(client: Client, count: int) -> None:
    while count:
        count -= '"conversation.item.done"' in str(await client.socket.recv())[:200]


async def asks(client: Client, until: asyncio.Event) -> list[float]:
    """Seconds until each answer began."""
    waits = []
    while not until.is_set():
        began_s = time.monotonic()
        await client.ask("Hello")
        await client.until("response.output_audio.delta")
        waits.append(time.monotonic() - began_s)
        await client.until("response.done")
        await asyncio.sleep(0.1)
    return waits


async def measured(gateway: GatewayProcess, url: str, neighbour_key: str, count: int) -> None:
    pid, done = gateway.running.pid, asyncio.Event()
    async with gateway.talking() as client, talking(url, neighbour_key) as neighbour:
        before, asking = (cpu_s(pid), memory_mb(pid)), asyncio.create_task(asks(neighbour, done))
        await asyncio.gather(flood(client, count), acknowledged(client, count), asyncio.sleep(0 if count else 5))
        spent_s, grown_mb = cpu_s(pid) - before[0], memory_mb(pid) - before[1]
        done.set()
        waits = await asking
    print(json.dumps({"items": count, "gateway_cpu_s": round(spent_s, 2), "grown_mb": round(grown_mb), "answers": len(waits),
                      "longest_wait_s": round(max(waits), 2)}), flush=True)  # fmt: skip


async def main(counts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        avatar, inference = await scripted(Script(packets=4))
        key, other = (create_key(folder / "tenants.toml", tenant)[0] for tenant in ("acme", "globex"))
        with process(valkey_command(port, folder), port, folder / "valkey.log"):
            async with gateway_process(folder, port, inference, key) as gateway:
                url = f"ws://127.0.0.1:{gateway.port}/v1/realtime?model=a2-llm"
                await measured(gateway, url, other, 20)  # warm
                for count in counts:
                    await measured(gateway, url, other, count)
        await avatar.stop(None)


if __name__ == "__main__":
    asyncio.run(main([int(word) for word in sys.argv[1:]] or [0, 250, 500, 1000]))
