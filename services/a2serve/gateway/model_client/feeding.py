"""Brings given words to the replica that speaks them, as they come, behind those that it was asked with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import grpc

from a2llm.messages import GivenWords, ResponseRequest
from a2serve.gateway.model_client.given_stream import GivenStream

MOST_TRIES, PAUSE_S = 3, 0.05
Append = Callable[[int, GivenWords], Awaitable[int]]


def with_words(request: ResponseRequest, words: GivenStream | None) -> ResponseRequest:
    """The request with all words that came so far."""
    return replace(request, options=replace(request.options, given=words.words)) if words else request


class Feeder:
    """Words behind `offset` characters go through `append`, which returns how many the replica has. Where it does not take them,
    `failed` is true and `give_up` was called."""

    def __init__(self, words: GivenStream, offset: int, append: Append, give_up: Callable[[], object]) -> None:
        self._words, self._offset, self._append, self._give_up = words, offset, append, give_up
        self._task: asyncio.Task[None] | None = None
        self.failed = False

    def start(self) -> None:
        """A second call changes nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._feed(), name="given words")

    def stop(self) -> None:
        if self._task:
            self._task.cancel()

    async def _feed(self) -> None:
        over = tries = 0
        while not over:
            fresh = await self._words.after(self._offset)
            end = self._offset + len(fresh.text)
            try:
                self._offset = await self._append(self._offset, fresh)
            except grpc.aio.AioRpcError:
                tries += 1
                if tries >= MOST_TRIES:
                    self.failed = True
                    self._give_up()
                    return
                await asyncio.sleep(PAUSE_S * tries)
            else:
                over, tries = fresh.over and self._offset >= end, 0
