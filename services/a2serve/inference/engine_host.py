"""The one thread that owns the engine: takes commands, steps, hands out what became ready. Knows nothing of gRPC.

The event loop never waits for it: commands go through a queue, results come back by call_soon_threadsafe, one call per step.
A step that raises ends the thread: every response fails with the reason, and the watcher is notified.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from a2llm.messages import EngineDown, ModelError
from a2serve.inference.engine_core import EngineCore
from a2serve.inference.mailbox import Delivery, Mailbox, deliver

Result = TypeVar("Result")
Command = Callable[[EngineCore], list[Delivery]]
log = logging.getLogger(__name__)


class EngineHost:
    """Everything but the thread itself is used on the event loop that called start()."""

    def __init__(self, make: Callable[[], EngineCore], on_failure: Callable[[], None]) -> None:
        self._make, self._on_failure = make, on_failure
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._promises: set[asyncio.Future[Any]] = set()
        self._mailboxes: set[Mailbox] = set()
        self._ready = self._promise()
        self.down = "the engine has not started"  # why it does not run; empty while it does
        self.waiting_limit = 1  # responses that may be waiting for their first sound at a time

    async def start(self) -> None:
        """Loads and warms up the model in its thread; returns when it can respond. Raises what loading raised."""
        self._thread.start()
        await self._ready
        self.down = ""

    async def stop(self) -> None:
        """End the thread after its current step; responses in progress fail."""
        self._commands.put(None)
        await asyncio.to_thread(self._thread.join)  # its libraries abort the process when it ends under them

    @property
    def waiting(self) -> int:
        """Number of commands that the thread has not taken yet."""
        return self._commands.qsize()

    def open_mailbox(self) -> Mailbox:
        """Opens a mailbox that gets an error when the engine goes down. Raises EngineDown."""
        self._require_up()
        mailbox = Mailbox()
        self._mailboxes.add(mailbox)
        return mailbox

    def close_mailbox(self, mailbox: Mailbox) -> None:
        self._mailboxes.discard(mailbox)

    def send(self, command: Command) -> None:
        """Has the engine's thread run this before its next step and deliver what it returns. Raises EngineDown."""
        self._require_up()
        self._commands.put(command)

    async def ask(self, question: Callable[[EngineCore], Result]) -> Result:
        """Run this on the engine's thread and wait for its result. Raises EngineDown, or the ModelError or ValueError that it raised."""
        self._require_up()
        promise: asyncio.Future[Result] = self._promise()

        def command(core: EngineCore) -> list[Delivery]:
            try:
                self._call(_resolve, promise, question(core))
            except (ModelError, ValueError) as error:
                self._call(_fail, promise, error)
            return []

        self._commands.put(command)
        return await promise

    def _require_up(self) -> None:
        if self.down:
            raise EngineDown(self.down)

    def _promise(self) -> "asyncio.Future[Any]":
        """A future that fails when the engine goes down."""
        promise: asyncio.Future[Any] = self._loop.create_future()
        self._promises.add(promise)
        promise.add_done_callback(self._promises.discard)
        return promise

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    def _deliver(self, events: list[Delivery]) -> None:
        if events:
            self._call(deliver, events)

    def _run(self) -> None:
        """Runs in the engine's thread until the host closes."""
        try:
            core = self._make()
        except Exception as error:  # noqa: BLE001 - the thread's edge: start() raises it
            self._call(_fail, self._ready, error)
            return
        self.waiting_limit = core.waiting_limit
        self._call(_resolve, self._ready, None)
        try:
            while self._take_commands(core):
                self._deliver(core.step())
            self._call(self._go_down, "the replica is shutting down")
        except Exception as error:
            log.exception("the engine failed")
            self._call(self._fail_all, f"the engine failed: {type(error).__name__}: {error}")

    def _take_commands(self, core: EngineCore) -> bool:
        """Runs what is waiting; sleeps while there is nothing to step. False: stop."""
        timeout, self.waiting_limit = core.idle_s(), core.waiting_limit
        while True:
            try:
                command = self._commands.get(block=timeout != 0, timeout=timeout)
            except queue.Empty:
                return True
            if command is None:
                return False
            self._deliver(command(core))
            timeout = 0

    def _go_down(self, reason: str) -> None:
        """Fails, on the event loop, everything that waits for the engine."""
        self.down = reason
        for mailbox in self._mailboxes:
            mailbox.put(EngineDown(reason))
        for promise in list(self._promises):
            _fail(promise, EngineDown(reason))

    def _fail_all(self, reason: str) -> None:
        self._go_down(reason)
        self._on_failure()


def _resolve(future: "asyncio.Future[Any]", result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[Any]", error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
