"""Work beside the requests: loops that run as long as the app, and tasks that outlive the request that began them."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

log = logging.getLogger(__name__)


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], name: str) -> AsyncGenerator[None]:
    """`work` as a task while inside; that it ended by a defect is logged at once, not at shutdown."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_log_defect)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def every(seconds: float, work: Callable[[], Awaitable[object]]) -> None:
    """Again and again; `work` handles its own errors."""
    while True:
        await work()
        await asyncio.sleep(seconds)


class BackgroundTasks:
    """Tasks that each hold a stack of contexts and leave it at their end."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether a task is still at work."""
        return bool(self._tasks)

    def start(self, work: Callable[[], Awaitable[None]], held: AsyncExitStack, name: str) -> asyncio.Task[None]:
        """Runs `work`, then closes `held`."""
        task = asyncio.create_task(_holding(held, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_defect)
        return task

    async def close(self, timeout_s: float) -> None:
        """Waits for the tasks, then cancels those that are left."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _holding(held: AsyncExitStack, work: Callable[[], Awaitable[None]]) -> None:
    async with held:
        await work()


def _log_defect(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("task %s ended", task.get_name(), exc_info=error)
