"""One inference request to Triton and its answers, as a gRPC stream that is never cancelled.

Triton 2.51 may crash when a stream is cancelled while it answers (its issue 7368), and with it all that is being said there. So a
client that leaves says so in a second request on the same stream, which arrives behind the first, and the stream is read to its end.
"""
# tritonclient has no types:
# pyright: reportMissingTypeStubs=false

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, NamedTuple, cast

import grpc
from tritonclient.grpc import InferResult
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

_LEAVE_S = 10.0  # within which Triton ends a stream of which nothing is wanted any more


class Message(NamedTuple):
    """One message of the stream: a response or an error."""

    result: InferResult | None
    error: InferenceServerException | None


class TritonStream:
    """One stream. `done` is the task that reads it; it outlives its listener. Requests are what `triton_wire.infer_request` makes."""

    def __init__(self, client: InferenceServerClient, request: dict[str, Any]) -> None:
        self._request, self._last_words = request, asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue()
        self._error: grpc.aio.AioRpcError | None = None
        stream = cast("Any", client).stream_infer(self._requests())
        self.done = asyncio.create_task(self._read(stream), name=f"triton {request['request_id']}")
        self.done.add_done_callback(lambda _: self._messages.put_nowait(None))

    async def messages(self) -> AsyncGenerator[Message, None]:
        """Until Triton has nothing more to say. Raises AioRpcError."""
        while (message := await self._messages.get()) is not None:
            yield message
        if self._error:
            raise self._error

    def leave(self, last_words: dict[str, Any] | None) -> None:
        """Leaves the stream: nobody listens any more."""
        if not self._last_words.done():
            self._last_words.set_result(last_words)
            asyncio.get_running_loop().call_later(_LEAVE_S, self.done.cancel)

    async def _requests(self) -> AsyncIterator[dict[str, Any]]:
        yield self._request
        last_words = await self._last_words
        if last_words is not None:
            yield last_words

    async def _read(self, stream: Any) -> None:
        try:
            async for result, error in stream:
                self._messages.put_nowait(Message(result, error))
        except grpc.aio.AioRpcError as error:
            self._error = error
        finally:
            stream.cancel()
