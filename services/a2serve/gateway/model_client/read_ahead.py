"""Reads a stream ahead of who uses it: what has arrived here is not lost with whoever sent it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

Piece = TypeVar("Piece")


async def read_ahead(source: AsyncGenerator[Piece, None], most: int, name: str) -> AsyncGenerator[Piece, None]:
    """Yields what `source` gives, of which up to `most` packets wait here. Raises what it raises; closing this closes it."""
    arrived: asyncio.Queue[Piece | None] = asyncio.Queue()  # None: the end, which is told by the task
    room = asyncio.Semaphore(most)

    async def read() -> None:
        async with aclosing(source):
            async for piece in source:
                await room.acquire()
                arrived.put_nowait(piece)

    reading = asyncio.create_task(read(), name=name)
    reading.add_done_callback(lambda _: arrived.put_nowait(None))
    try:
        while (piece := await arrived.get()) is not None:
            room.release()
            yield piece
        await reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])
