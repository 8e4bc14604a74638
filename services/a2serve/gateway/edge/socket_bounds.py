"""Bounds of a WebSocket that uvicorn lacks: pongs for a client that does not read, the pieces of a message, the end of a connection.

The bounds of a session (what it may take and say, and for how long) are in `realtime`.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

READ_BYTES = 4096  # at once: as frames without content they cost 15 ms, and every other client waits
LINGER_S = 5.0  # for what was said last, to a client that may have stopped reading


class BoundedSocket(WebSocketsSansIOProtocol):
    """One WebSocket, from its upgrade on."""

    _abort: asyncio.TimerHandle | None = None
    _message: bytearray | None = None  # in fragments, so far

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio would read 256 KiB, which may be 40,000 frames, and go on to others only then."""
        super().connection_made(transport)
        if hasattr(transport, "max_size"):
            cast(Any, transport).max_size = READ_BYTES

    def handle_ping(self) -> None:
        """A pong, unless the client does not read those before: they would wait in memory, as many as it cares to ask for."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """Joins a piece to those before it: a list of pieces of no or one byte costs many times what it holds."""
        if self._message is None:
            self._message = bytearray(self.frames[0])
        self._message += event.data
        if event.fin:
            self.frames, self._message = [bytes(self._message)], None
            self.send_receive_event_to_app()

    async def run_asgi(self) -> None:
        """Ends the connection with the session, even if the client does not take what still waits for it."""
        await super().run_asgi()
        if not self.disconnected:
            self._abort = self.loop.call_later(self.close_timeout + LINGER_S, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops the deadline of the close."""
        if self._abort:
            self._abort.cancel()
        super().connection_lost(exc)
