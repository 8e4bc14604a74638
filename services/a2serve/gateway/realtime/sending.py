"""The bounded queue between a session and its socket. Numbers events; a client that does not read is found here."""

import asyncio
from collections import deque
from dataclasses import dataclass

from a2serve.contracts.events import write_event
from a2serve.contracts.packets import MediaPacket, write_packet
from a2serve.contracts.server_events import ServerEventBase
from a2serve.gateway.realtime.collaborators import SessionLimits, Transport


@dataclass(frozen=True, slots=True)
class _Frame:
    data: str | bytes
    response_id: str = ""  # set for media only: what may be dropped when the response is cut


class SlowReader(Exception):
    """The client does not read, and the queue is full."""


class SendQueue:
    """`send` never blocks; `run` writes to the socket; `overflow` tells that the bound was reached."""

    def __init__(self, transport: Transport, session_id: str, limits: SessionLimits, sequence: int = 0) -> None:
        self.sequence = sequence
        self.overflow = asyncio.Event()
        self._transport, self._limits, self._tail = transport, limits, session_id[-8:]
        self._frames: deque[_Frame] = deque()
        self._bytes = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    def send(self, event: ServerEventBase, media_of: str = "") -> int:
        """Queue an event; returns its number within the session."""
        self.sequence += 1
        numbered = event.model_copy(update={"event_id": f"event_{self._tail}_{self.sequence}"})
        self._put(_Frame(write_event(numbered), media_of))
        return self.sequence

    def send_packet(self, packet: MediaPacket) -> None:
        """Queue a binary frame."""
        self._put(_Frame(write_packet(packet), packet.response_id))

    def drop_media(self, response_id: str) -> None:
        """Forget queued audio, text and motion deltas of a response that was cut."""
        self._frames = deque(frame for frame in self._frames if frame.response_id != response_id)
        self._bytes = sum(len(frame.data) for frame in self._frames)
        self._mark_room()

    async def room(self) -> None:
        """Wait until the queue is less than half full (for senders without a pace)."""
        await self._room.wait()

    async def run(self) -> None:
        """Write to the socket until cancelled. Raises Disconnected, SlowReader (one frame took longer than stall_s)."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._bytes -= len(frame.data)
                self._mark_room()
                await self._write(frame)
            self._news.clear()
            if not self._frames:
                await self._news.wait()

    async def _write(self, frame: _Frame) -> None:
        try:
            async with asyncio.timeout(self._limits.stall_s):
                await self._transport.send(frame.data)
        except TimeoutError:
            raise SlowReader from None

    def _put(self, frame: _Frame) -> None:
        if self.overflow.is_set():
            return
        self._frames.append(frame)
        self._bytes += len(frame.data)
        self._mark_room()
        self._news.set()
        if len(self._frames) > self._limits.queue_messages or self._bytes > self._limits.queue_bytes:
            self._frames.clear()
            self.overflow.set()

    def _mark_room(self) -> None:
        half_full = 2 * len(self._frames) > self._limits.queue_messages or 2 * self._bytes > self._limits.queue_bytes
        (self._room.clear if half_full else self._room.set)()
