"""Ctrl-C and SIGTERM: stop cleanly, whatever is running.

`Stop` is for commands that end when interrupted, `Pause` for those that only stop what they are doing, `undisturbed` for
what must be done whole.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. A class of its own, because Python kills itself by SIGINT at the end of a process in which a plain
    KeyboardInterrupt ever left an `exec` of a string (dataclasses and named tuples are made so), caught or not."""


class Stop:
    """While entered, SIGINT raises Interrupted and SIGTERM SystemExit, once; later ones are ignored, so that cleaning up ends.

    `asked` also tells an interruption that a library swallowed or turned into another error.
    """

    def __init__(self) -> None:
        self._signal = 0
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        return bool(self._signal)

    @property
    def exit_code(self) -> int:
        return 128 + (self._signal or signal.SIGINT)

    def __enter__(self) -> Self:
        if _in_main_thread():
            self._before = {number: signal.signal(number, self._on_signal) for number in STOPPING}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self._signal:
            self._signal = number
            raise Interrupted if number == signal.SIGINT else SystemExit(self.exit_code)


class Pause:
    """While entered, the first Ctrl-C only sets `asked`; a second raises Interrupted.

    For loops that must stop between two steps and never inside one.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise Interrupted
        self.asked = True


@contextmanager
def undisturbed() -> Iterator[None]:
    """A moment in which Ctrl-C and SIGTERM have to wait; they come through at the end.

    Blocking them with a signal mask would not do: the system hands them to another thread of the process instead.
    """
    if not _in_main_thread():  # signals never interrupt the others
        yield
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: waiting.append(number)) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in waiting:
            signal.raise_signal(number)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
