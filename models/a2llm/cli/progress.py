"""Shows how far something is: a bar on a terminal, a line now and then in a log. Always on stderr."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

QUIET_S = 5.0  # between two lines in a log


class OnProgress(Protocol):
    """Told how far it is: done of total, and figures worth showing."""

    def __call__(self, done: float, total: float = 1.0, figures: Mapping[str, Any] | None = None) -> None: ...


@contextmanager
def progress(label: str) -> Iterator[OnProgress]:
    """A bar for one piece of work; without a call to it, it only says that it works."""
    with _bar(label) if sys.stderr.isatty() else _lines(label) as on_progress:
        yield on_progress


@contextmanager
def working(label: str) -> Iterator[None]:
    """For work that cannot tell how far it is."""
    if not sys.stderr.isatty():
        print(f"{label} ...", file=sys.stderr, flush=True)
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{label} ..."):
        yield


@contextmanager
def _bar(label: str) -> Iterator[OnProgress]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(label, total=None, note="")

        def on_progress(done: float, total: float = 1.0, figures: Mapping[str, Any] | None = None) -> None:
            bars.update(task, completed=done, total=max(total, done))
            if figures:
                bars.update(task, note=note(figures))

        yield on_progress
        bars.update(task, total=bars.tasks[task].total or 1.0, completed=bars.tasks[task].total or 1.0)


@contextmanager
def _lines(label: str) -> Iterator[OnProgress]:
    started = last = time.monotonic()
    print(f"{label} ...", file=sys.stderr, flush=True)

    def on_progress(done: float, total: float = 1.0, figures: Mapping[str, Any] | None = None) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET_S:
            last = time.monotonic()
            print(f"{label} {100 * done / max(total, 1e-9):.0f}% {note(figures)}".rstrip(), file=sys.stderr, flush=True)

    yield on_progress
    if (spent := time.monotonic() - started) >= QUIET_S:
        print(f"{label}: done in {spent:.0f} s", file=sys.stderr, flush=True)


def note(figures: Mapping[str, Any] | None) -> str:
    """A few figures in one short line."""
    return "  ".join(f"{name} {value:.3g}" for name, value in list((figures or {}).items())[:5] if isinstance(value, int | float))
