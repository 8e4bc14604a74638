"""One inference request to Triton and what it answers, as a gRPC stream that is never cancelled.

Triton 2.51 may crash when a stream is cancelled while it answers (its issue 7368), and with it all that is being said there. So who
takes leave says so in a second request on the same stream, which arrives behind the first, and the stream is read to its end.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeAlias

import grpc

from a2serve.contracts.proto import kserve_pb2 as kserve

_LEAVE_S = 10.0  # within which Triton ends a stream of which nothing is wanted any more
Start: TypeAlias = Callable[[AsyncIterator[kserve.ModelInferRequest]], Any]  # ModelStreamInfer


class TritonStream:
    """`done` is the task that reads it; it outlives who listens."""

    def __init__(self, start: Start, request: kserve.ModelInferRequest) -> None:
        self._request, self._last_words = request, asyncio.get_running_loop().create_future()
        self._messages: asyncio.Queue[kserve.ModelStreamInferResponse | None] = asyncio.Queue()
        self._error: grpc.aio.AioRpcError | None = None
        self.done = asyncio.create_task(self._read(start(self._requests())), name=f"triton {request.id}")
        self.done.add_done_callback(lambda _: self._messages.put_nowait(None))

    async def messages(self) -> AsyncGenerator[kserve.ModelStreamInferResponse, None]:
        """Until Triton has nothing more to say. Raises AioRpcError."""
        while (message := await self._messages.get()) is not None:
            yield message
        if self._error:
            raise self._error

    def leave(self, last_words: kserve.ModelInferRequest | None) -> None:
        """Nobody listens any more."""
        if not self._last_words.done():
            self._last_words.set_result(last_words)
            asyncio.get_running_loop().call_later(_LEAVE_S, self.done.cancel)

    async def _requests(self) -> AsyncIterator[kserve.ModelInferRequest]:
        yield self._request
        last_words = await self._last_words
        if last_words is not None:
            yield last_words

    async def _read(self, call: Any) -> None:
        try:
            async for message in call:
                self._messages.put_nowait(message)
        except grpc.aio.AioRpcError as error:
            self._error = error
        finally:
            call.cancel()
