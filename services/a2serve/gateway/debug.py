"""The /debug page on the gateway's address: live sessions of this replica, and the last turns as the local OTLP receiver has them.

Only for a machine of one's own: include the router where the profile is `local`. Traces hold ids and times, no words.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
from fastapi import APIRouter, Response

TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A socket that is open now. `since_ms` is Unix time; `state` is the turn's: idle, listening, thinking, speaking, held."""

    session_id: str
    tenant: str
    state: str
    since_ms: float
    turns: int


def debug_routes(receiver_url: str, live: Callable[[], Sequence[LiveSession]]) -> APIRouter:
    """GET /debug, /debug/turns, /debug/servers (fetched from the receiver at `receiver_url`) and /debug/sessions (from `live`)."""
    router = APIRouter(include_in_schema=False)

    @router.get("/debug")
    async def page() -> Response:  # pyright: ignore[reportUnusedFunction]
        return await _fetch(f"{receiver_url.rstrip('/')}/debug")

    @router.get("/debug/turns")
    async def turns() -> Response:  # pyright: ignore[reportUnusedFunction]
        return await _fetch(f"{receiver_url.rstrip('/')}/debug/turns")

    @router.get("/debug/servers")
    async def servers() -> Response:  # pyright: ignore[reportUnusedFunction]
        return await _fetch(f"{receiver_url.rstrip('/')}/debug/servers")

    @router.get("/debug/sessions")
    async def sessions() -> list[LiveSession]:  # pyright: ignore[reportUnusedFunction]
        return list(live())

    return router


async def _fetch(url: str) -> Response:
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            response = await client.get(url)
    except httpx.HTTPError as error:
        return Response(f"the trace receiver does not answer: {error}", 502, media_type="text/plain")
    media_type = response.headers.get("content-type", "text/plain")
    return Response(response.content, response.status_code, {"cache-control": "no-store"}, media_type)
