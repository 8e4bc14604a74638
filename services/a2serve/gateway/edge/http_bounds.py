"""Bounds that uvicorn lacks: how long a client may take for its headers, how many connections there are, how long a
response may wait to be read. The bounds of bodies and URLs are in `middleware`, which sees requests.

A refusal before there is a request is an `application/problem+json` as well.
"""

import asyncio
import json
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.gateway import request_context
from a2serve.gateway.edge.socket_bounds import BoundedSocket
from a2serve.gateway.settings import GatewaySettings

LARGEST_FRAME_BYTES = 16 << 20  # larger than a session takes, so that it can say so
LINGER_S = 5.0  # the rest of a body that was answered before it had come; the client may not see the answer before it has sent it
RESERVE = 64  # connections over the bound, so that it can be told, and probes pass


@dataclass(slots=True)
class Connections:
    """The open connections of this process, sockets among them, and how many there may be (0: of one address, as many as there are)."""

    most: int
    most_of_address: int
    live: Collection[Any] = ()

    @property
    def full(self) -> bool:
        return len(self.live) > self.most

    def has_capacity(self, address: str | None) -> bool:
        """For one more that was counted already."""
        if len(self.live) > self.most + RESERVE:
            return False
        return not self.most_of_address or sum(_address(one) == address for one in self.live) <= self.most_of_address


def server_config(app: FastAPI, settings: GatewaySettings) -> uvicorn.Config:
    """How uvicorn serves the gateway."""
    protocol = partial(BoundedHttp, settings, app.state.parts.connections)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        http=cast(type[asyncio.Protocol], protocol),
        h11_max_incomplete_event_size=settings.head_limit_bytes,
        loop="asyncio",
        ws=BoundedSocket,  # uvloop, where another package brought it, reads as much at once as it likes
        ws_max_size=LARGEST_FRAME_BYTES,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=5,
    )


class BoundedHttp(H11Protocol):
    """One connection, until it becomes a WebSocket. At most one deadline runs: for a head, for the rest of a body, or for a reader."""

    def __init__(
        self,
        settings: GatewaySettings,
        bounds: Connections,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._settings, self._bounds = settings, bounds
        self._head: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Refuses a connection over the bounds."""
        # uvicorn closes at once after a response that says so, which resets the connection if more of the body comes.
        super().connection_made(cast(asyncio.Transport, _Lingering(transport, self._ends_in_a_body)))
        self._bounds.live = self.connections
        if self._bounds.has_capacity(self.client[0] if self.client else None):
            self._head = self.loop.call_later(self._settings.header_timeout_s, self._head_is_late)
        else:
            self._refuse(Problem(Code.TOO_MANY_CONNECTIONS, "too many connections", retry_after_ms=RETRY_AFTER_MS))
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drops every deadline."""
        self._stop_head()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A head that has begun has to end in time. After a refusal nothing is looked at any more."""
        if self._refused:
            return
        super().data_received(data)
        if self._refused:
            return
        if self.conn.their_state is not h11.IDLE or self.transport.get_protocol() is not self:
            self._stop_head()
        elif self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(self._settings.header_timeout_s, self._head_is_late)

    def on_response_complete(self) -> None:
        """Throws away for a moment what still comes of the body, then ends the connection."""
        super().on_response_complete()
        if self.conn.their_state is h11.SEND_BODY and not self.transport.is_closing() and not self._refused:
            self._linger()

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self._reader = self.loop.call_later(self._settings.send_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Drops the deadline of a client that reads again."""
        super().resume_writing()
        if self._reader:
            self._reader.cancel()
            self._reader = None

    def send_400_response(self, msg: str) -> None:
        """Called while h11's error is handled."""
        error = sys.exc_info()[1]
        too_large = isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == 431
        code = Code.HEADERS_TOO_LARGE if too_large else Code.INVALID_HTTP
        self._refuse(Problem(code, f"{msg} {error or ''}".strip()))

    def _head_is_late(self) -> None:
        self._head = None
        if self.conn.trailing_data[0]:
            self._refuse(Problem(Code.REQUEST_TIMEOUT, f"the headers have to come within {self._settings.header_timeout_s:g} s"))
        else:
            self.transport.close()

    def _stop_head(self) -> None:
        if self._head:
            self._head.cancel()
            self._head = None

    def _refuse(self, problem: Problem) -> None:
        """Answers where no answer has begun, and ends the connection: at once it would take the answer with it, if more has come."""
        self._refused = True
        if self.cycle and not self.cycle.response_complete:  # the request may still wait for its body
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        for event in _respond(problem):
            self.transport.write(self.conn.send(event) or b"")
        self._end_writing()

    def _ends_in_a_body(self) -> bool:
        """Whether a response is whole while its request's body still comes: then the connection lingers instead of being closed."""
        if self._refused or self.conn.their_state is not h11.SEND_BODY or not self.cycle or not self.cycle.response_complete:
            return False
        self._end_writing()
        return True

    def _end_writing(self) -> None:
        """Nothing more is said or looked at; what still comes is thrown away for a moment."""
        self._refused = True
        self.transport.write_eof()
        self._linger()

    def _linger(self) -> None:
        self._stop_head()
        self._head = self.loop.call_later(LINGER_S, self.transport.abort)


class _Lingering:
    """A connection's transport whose `close` does nothing where `lingers` has taken care of it."""

    def __init__(self, transport: asyncio.Transport, lingers: Callable[[], bool]) -> None:
        self._transport, self._lingers = transport, lingers

    def close(self) -> None:
        if not self._lingers():
            self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets it on the transport itself: a socket reads little at once by it."""
        if name in ("_transport", "_lingers"):
            object.__setattr__(self, name, value)
        else:
            setattr(self._transport, name, value)


def _respond(problem: Problem) -> tuple[h11.Response, h11.Data, h11.EndOfMessage]:
    request_id, status = request_context.new_id(), problem.meaning.status
    body = json.dumps(problem.as_json(request_id)).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        (b"x-request-id", request_id.encode()),
        (b"x-content-type-options", b"nosniff"),
        *([(b"retry-after", b"2")] if status == 503 else []),
    ]
    return h11.Response(status_code=status, headers=headers, reason=problem.meaning.title.encode()), h11.Data(data=body), h11.EndOfMessage()


def _address(connection: Any) -> str | None:
    return connection.client[0] if connection.client else None
