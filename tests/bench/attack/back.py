"""A key is revoked, Redis restarts: is the one out within seconds, and does nobody else notice the other?"""

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack

from bench.attack.stand import Stand
from bench.attack.talk import Client, rest, socket

from a2serve.gateway.tenants import create_key

REQUESTS, AT_ONCE = 360, 30
OUT_S = 30.0


async def revoked(stand: Stand) -> dict[str, float]:
    """Sockets of a key and of client secrets minted with it, on both gateways; then the key is revoked by the command line."""
    tenants = stand.folder / "tenants.toml"
    key, made = create_key(tenants, "acme")
    await asyncio.sleep(3)  # gateways look at the file every two seconds
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        for gateway in stand.gateways:
            clients.append(await stack.enter_async_context(socket(gateway, key)))
            async with rest(gateway, key) as calls:
                secret = (await calls.post("/v1/realtime/client_secrets", json={"session": {"type": "realtime"}})).json()["value"]
            clients.append(await stack.enter_async_context(socket(gateway, secret)))
        command = [sys.executable, "-m", "a2serve.gateway.access.keys_cli", "--file", str(tenants), "revoke", made.id]
        subprocess.run(command, check=True, capture_output=True)
        revoked_s = time.monotonic()
        alive_s = await asyncio.gather(*(_until_closed(client, revoked_s) for client in clients))
    return {"revoked_sockets": len(clients), "revoked_socket_alive_s_max": round(max(alive_s), 2)}


async def _until_closed(client: Client, since_s: float) -> float:
    try:
        await asyncio.wait_for(client.socket.wait_closed(), OUT_S)
    except TimeoutError:
        return OUT_S
    return time.monotonic() - since_s


async def redis_restarts(stand: Stand) -> dict[str, float]:
    """Connections are pooled by bursts, Redis is killed and started again; from then on nobody may see an error."""
    await _burst(stand, AT_ONCE * 2)
    stand.signal("valkey", signal.SIGKILL)
    stand.start("valkey")
    statuses = [status for _ in range(REQUESTS // AT_ONCE) for status in await _burst(stand, AT_ONCE)]
    return {"redis_restart_requests": len(statuses), "redis_restart_errors": sum(status != 200 for status in statuses)}


async def _burst(stand: Stand, requests: int) -> list[int]:
    """So many at once, half of them through each gateway: their statuses."""
    async with AsyncExitStack() as stack:
        calls = [await stack.enter_async_context(rest(gateway, stand.keys["globex"])) for gateway in stand.gateways]
        responses = await asyncio.gather(*(calls[i % 2].get("/v1/usage" if i % 4 < 2 else "/v1/personas") for i in range(requests)))
        return [response.status_code for response in responses]
