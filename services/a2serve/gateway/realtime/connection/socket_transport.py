"""A session's events on a WebSocket: JSON as text frames, media packets as binary ones. The one place that reads and writes frames."""

from starlette.websockets import WebSocket, WebSocketDisconnect

from a2serve.contracts.events import parse_client_event, write_event
from a2serve.contracts.packets import MediaPacket, read_packet, write_packet
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.realtime.transport.transport import Disconnected, Incoming, Outgoing, Packed


class SocketTransport:
    """A Starlette socket as the session sees it. `max_event_bytes`: the longest frame that is read."""

    def __init__(self, socket: WebSocket, max_event_bytes: int) -> None:
        self._socket, self._max_event_bytes = socket, max_event_bytes

    async def receive(self) -> Incoming:
        """The next frame. Raises Disconnected, and Problem (event_too_large, and what `parse_client_event` and `read_packet` raise)."""
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        text: str | None = message.get("text")
        frame: str | bytes = text if text is not None else message["bytes"]
        if len(frame) > self._max_event_bytes:
            raise Problem(Code.EVENT_TOO_LARGE, f"a frame may have {self._max_event_bytes} bytes; this one has {len(frame)}")
        return parse_client_event(frame) if isinstance(frame, str) else read_packet(frame)

    def pack(self, event: Outgoing) -> Packed:
        """The event as a frame."""
        frame = write_packet(event) if isinstance(event, MediaPacket) else write_event(event)
        return Packed(frame, len(frame))

    async def send(self, packed: Packed) -> None:
        """Write a frame, waiting while the client's buffers are full. Raises Disconnected."""
        try:
            if isinstance(packed.content, str):
                await self._socket.send_text(packed.content)
            else:
                await self._socket.send_bytes(packed.content)
        except (WebSocketDisconnect, RuntimeError):  # Starlette's word for a socket that was closed meanwhile
            raise Disconnected from None
