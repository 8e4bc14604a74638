"""The /debug routes of the gateway, in front of a real receiver on a loopback port."""

import asyncio
from dataclasses import asdict

import httpx
import uvicorn
from fastapi import FastAPI

from a2serve.gateway.debug import LiveSession, debug_routes
from a2serve.local.ports import free_ports
from a2serve.local.traces.receiver import Receiver

SESSION = LiveSession(session_id="s1", tenant="dev", state="speaking", since_ms=1.0, turns=3)


async def ask(receiver_url: str) -> dict[str, httpx.Response]:
    app = FastAPI()
    app.include_router(debug_routes(receiver_url, lambda: [SESSION]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        return {path: await client.get(path) for path in ("/debug", "/debug/turns", "/debug/sessions")}


async def with_receiver() -> dict[str, httpx.Response]:
    (port,) = free_ports(1)
    server = uvicorn.Server(uvicorn.Config(Receiver().app, host="127.0.0.1", port=port, log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(60):
        while not server.started:
            await asyncio.sleep(0.02)
        responses = await ask(f"http://127.0.0.1:{port}")
        server.should_exit = True
        await serving
    return responses


def test_page_and_turns_come_from_the_receiver_sessions_from_the_gateway() -> None:
    responses = asyncio.run(with_receiver())
    assert [response.status_code for response in responses.values()] == [200, 200, 200]
    assert responses["/debug"].headers["content-type"].startswith("text/html")
    assert responses["/debug/turns"].json() == {"turns": [], "spans_received": 0, "spans_dropped": 0}
    assert responses["/debug/sessions"].json() == [asdict(SESSION)]


def test_a_receiver_that_is_down_is_said() -> None:
    (port,) = free_ports(1)
    responses = asyncio.run(ask(f"http://127.0.0.1:{port}"))
    assert responses["/debug/turns"].status_code == 502
    assert "does not answer" in responses["/debug/turns"].text
    assert responses["/debug/sessions"].status_code == 200
