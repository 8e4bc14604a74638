"""Sockets as pages and servers open them: with a client secret or an API key; and what a refused one is told."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets

from support.servers.gateway import WAIT_S, GatewayStand
from support.servers.realtime import Client


@asynccontextmanager
async def opened(made: GatewayStand, credential: str, query: str = "") -> AsyncIterator[Client]:
    """A socket with a key, or as a page opens it with its secret."""
    options: dict[str, Any] = {"subprotocols": ["realtime", f"a2-client-secret.{credential}"]}
    if credential.startswith("a2_"):
        options = {"additional_headers": {"authorization": f"Bearer {credential}"}}
    async with websockets.connect(made.socket_url + query, open_timeout=WAIT_S, **options) as socket:
        yield Client(socket)


async def session_of(client: Client) -> str:
    return (await client.until("session.created"))["session"]["id"]


async def answered(client: Client, text: str) -> None:
    await client.ask(text)
    await client.until("response.done")


async def refused(made: GatewayStand, credential: str, query: str = "") -> tuple[dict[str, Any], int, str]:
    """Refusal that a page receives: the only event, then the close. A server's client gets the status and code as (…, status, code)."""
    try:
        async with opened(made, credential, query) as client:
            event = json.loads(await client.socket.recv())
            with pytest.raises(websockets.ConnectionClosed) as ending:
                await client.socket.recv()
            assert ending.value.rcvd
            return event, ending.value.rcvd.code, ending.value.rcvd.reason
    except websockets.InvalidStatus as response:
        body = json.loads(response.response.body)
        return {}, response.response.status_code, body["code"]
