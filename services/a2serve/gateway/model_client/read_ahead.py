"""Reads a stream ahead of its consumer: what has arrived here is not lost with its sender."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

Value = TypeVar("Value")


async def read_ahead(source: AsyncGenerator[Value, None], most: int, name: str) -> AsyncGenerator[Value, None]:
    """Yields what `source` gives, of which up to `most` packets wait here. Raises what it raises; closing this closes it."""
    arrived: asyncio.Queue[Value | None] = asyncio.Queue()  # None: the end, which is told by the task
    places = asyncio.Semaphore(most)

    async def read() -> None:
        async with aclosing(source):
            async for value in source:
                await places.acquire()
                arrived.put_nowait(value)

    reading = asyncio.create_task(read(), name=name)
    reading.add_done_callback(lambda _: arrived.put_nowait(None))
    try:
        while (value := await arrived.get()) is not None:
            places.release()
            yield value
        await reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])
