"""The threads that hear, and their load. Knows nothing of what is heard."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from a2serve.inference.metrics import Metrics

Result = TypeVar("Result")


def unnoted(_waited_ms: float) -> None:
    """For a host that does not scale."""


class EarPool:
    """Runs `workers` jobs at a time; more wait. `note` gets the time that each one waited, in ms."""

    def __init__(self, workers: int, metrics: Metrics, note: Callable[[float], None] = unnoted) -> None:
        self.workers = workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="ear")
        self._metrics, self._note = metrics, note
        self._jobs = 0
        metrics.ear_workers.set(workers)
        metrics.ears_waiting.set_function(lambda: self.waiting)

    @property
    def jobs(self) -> int:
        """Being heard or waiting for a worker."""
        return self._jobs

    @property
    def waiting(self) -> int:
        return max(0, self._jobs - self.workers)

    async def run(self, job: Callable[[], Result]) -> Result:
        """On one of the threads, when it is its turn."""
        asked_s, loop = time.perf_counter(), asyncio.get_running_loop()

        def timed() -> Result:
            began_s = time.perf_counter()
            loop.call_soon_threadsafe(self._note, (began_s - asked_s) * 1000)
            try:
                return job()
            finally:
                self._metrics.ear_busy.inc(time.perf_counter() - began_s)

        self._jobs += 1
        try:
            return await loop.run_in_executor(self._threads, timed)
        finally:
            self._jobs -= 1

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
