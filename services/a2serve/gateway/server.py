"""uvicorn around the app: says where it listens, and lets live sessions leave before it stops."""

import asyncio
import json
import logging
import signal
from types import FrameType

import uvicorn
from fastapi import FastAPI

from a2serve.gateway.edge.http_bounds import server_config
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.connection.socket_route import RealtimeService
from a2serve.gateway.settings import GatewaySettings
from a2serve.telemetry.pauses import spare_what_is_loaded

LOOK_S = 0.1
log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """On the first signal takes no new work and lets live sessions leave and turns end; on the second one stops at once."""

    def __init__(self, app: FastAPI, settings: GatewaySettings) -> None:
        super().__init__(server_config(app, settings))
        self._drain_s = settings.drain_s
        self._parts: GatewayParts = app.state.parts
        self._realtime: RealtimeService = app.state.realtime
        self._draining: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[object] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Also says where it listens."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)  # pyright: ignore[reportArgumentType]
        if self.started:
            spare_what_is_loaded()
            port = self.servers[0].sockets[0].getsockname()[1]
            print(json.dumps({"ready": True, "port": port}), flush=True)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by uvicorn for SIGTERM and SIGINT."""
        if self._parts.draining or self._loop is None:
            super().handle_exit(signal.SIGTERM, frame)
            return
        self._parts.draining = True
        self._loop.call_soon_threadsafe(self._start_draining)

    def _start_draining(self) -> None:
        self._draining = asyncio.create_task(self._drain(), name="drain")

    async def _drain(self) -> None:
        log.info("draining", extra={"sessions": len(self._realtime.sessions)})
        self._realtime.drain()
        waited_s = 0.0
        while (self._realtime.sessions or self._parts.background.busy) and waited_s < self._drain_s + 1:
            await asyncio.sleep(LOOK_S)
            waited_s += LOOK_S
        await self._parts.background.close(0.0)  # while their clients can still be told
        self.should_exit = True
