"""Counts steps of a known total for whoever draws the bar."""

from collections.abc import Callable

OnProgress = Callable[[int, int], None]


class Steps:
    """Calls `on_progress(done, total)` at every tick."""

    def __init__(self, total: int, on_progress: OnProgress | None = None) -> None:
        self.done, self.total, self._tell = 0, total, on_progress

    def tick(self) -> None:
        self.done += 1
        if self._tell:
            self._tell(min(self.done, self.total), self.total)
