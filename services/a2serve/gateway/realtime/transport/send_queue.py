"""The queue between a session and its socket. It numbers events and detects a client that does not read.

The queue is short because its producers wait: media until it is half empty, the reader of the client's frames until it has
space. What comes without waiting (events of the turn) is little. So a client that reads is never cut off.
"""

import asyncio
from collections import deque
from dataclasses import dataclass

from a2serve.contracts.packets import MediaPacket
from a2serve.contracts.server_events import ServerEventBase
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.transport.transport import Outgoing, Packed, Transport

SLOWEST_BYTES_S = 64 << 10  # a frame of 8 MiB may take two minutes on its way


@dataclass(frozen=True, slots=True)
class _Frame:
    packed: Packed
    response_id: str = ""  # set for media only: what may be dropped when the response is cut


class SlowReader(Exception):
    """The client does not read."""


class SendQueue:
    """`send` never blocks; `run` writes to the socket; `space` and `space_for_media` are where its fillers wait."""

    def __init__(self, transport: Transport, session_id: str, limits: SessionLimits, sequence: int = 0) -> None:
        self.sequence = sequence
        self._transport, self._limits, self._tail = transport, limits, session_id[-8:]
        self._frames: deque[_Frame] = deque()
        self._bytes = self._last_bytes = 0
        self._news, self._space, self._half_empty, self._all_sent = (asyncio.Event() for _ in range(4))
        self._mark_space()

    def send(self, event: ServerEventBase, media_of: str = "") -> int:
        """Queue an event; returns its number within the session."""
        self.sequence += 1
        numbered = event.model_copy(update={"event_id": f"event_{self._tail}_{self.sequence}"})
        self._put(numbered, media_of)
        return self.sequence

    def send_packet(self, packet: MediaPacket) -> None:
        """Queues media without an event around them."""
        self._put(packet, packet.response_id)

    def drop_media(self, response_id: str) -> None:
        """Forget queued audio, text and motion deltas of a response that was cut."""
        self._frames = deque(frame for frame in self._frames if frame.response_id != response_id)
        self._bytes = sum(frame.packed.size_bytes for frame in self._frames)
        self._mark_space()

    async def space(self) -> None:
        """Wait until the client has read enough for more answers."""
        await self._space.wait()

    async def space_for_media(self) -> None:
        """The same with the queue half empty: however much is said, the client's next event is read."""
        await self._half_empty.wait()

    async def all_sent(self) -> None:
        """Wait until everything that was queued has gone."""
        await self._all_sent.wait()

    async def run(self) -> None:
        """Write to the socket until cancelled. Raises Disconnected, SlowReader."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._bytes -= frame.packed.size_bytes
                self._mark_space()
                await self._write(frame)
            self._all_sent.set()
            await self._news.wait()
            self._news.clear()

    async def _write(self, frame: _Frame) -> None:
        """Returns as soon as what was written before has gone: that is what is waited for."""
        try:
            async with asyncio.timeout(self._limits.stall_s + self._largest_bytes(frame) / SLOWEST_BYTES_S):
                await self._transport.send(frame.packed)
        except TimeoutError:
            raise SlowReader from None

    def _largest_bytes(self, frame: _Frame) -> int:
        before, self._last_bytes = self._last_bytes, frame.packed.size_bytes
        return max(before, frame.packed.size_bytes)

    def _put(self, event: Outgoing, media_of: str) -> None:
        frame = _Frame(self._transport.pack(event), media_of)
        self._frames.append(frame)
        self._all_sent.clear()
        self._bytes += frame.packed.size_bytes
        self._mark_space()
        self._news.set()

    def _mark_space(self) -> None:
        messages, size, limits = len(self._frames), self._bytes, self._limits
        if messages < limits.queue_messages and size < limits.queue_bytes:
            self._space.set()
        else:
            self._space.clear()
        if 2 * messages < limits.queue_messages and 2 * size < limits.queue_bytes:
            self._half_empty.set()
        else:
            self._half_empty.clear()
