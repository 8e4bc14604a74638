"""Starts parts as soon as what they need is ready, restarts those that die a few times, stops all in reverse. Knows no part by name."""

import asyncio
import time
from collections.abc import Callable, Sequence

from a2serve.local.home import Home
from a2serve.local.process import Part, PartFailed, Process, kill_all
from a2serve.local.state import Pid, State

RESTART_WINDOW_S = 600.0  # a part may die so often within this time as its `restarts` says
RESTART_PAUSE_S = 0.5
SAY_WAITING_S = 20.0


class Supervisor:
    """One use: run() until asked to stop. `parts`: those that are needed stand before those that need them."""

    def __init__(self, parts: Sequence[Part], home: Home, state: State, say: Callable[[str], None]) -> None:
        self._parts, self._home, self._state, self._say = parts, home, state, say
        self._ready = {part.name: asyncio.Event() for part in parts}
        self._processes: dict[str, Process] = {}

    async def run(self, stop: asyncio.Event, announce: Callable[[], None]) -> bool:
        """True: asked to stop; False: a part could not be kept alive, which was said. Either way nothing is left running.

        `announce` is called once, when every part is ready.
        """
        lives = [asyncio.create_task(self._keep_alive(part), name=part.name) for part in self._parts]
        asked = asyncio.create_task(stop.wait())
        ready = asyncio.create_task(self._all_ready(announce))
        try:
            done, _ = await asyncio.wait({asked, *lives, ready}, return_when=asyncio.FIRST_COMPLETED)
            if ready in done and ready.exception() is None:
                done, _ = await asyncio.wait({asked, *lives}, return_when=asyncio.FIRST_COMPLETED)
            return self._verdict([task for task in (*lives, ready) if task in done])
        finally:
            await _cancel([asked, ready, *lives])
            await self._stop()

    def kill(self) -> None:
        """No patience left: SIGKILL to everything, now. run() then returns soon."""
        for process in self._processes.values():
            if process.pid:
                kill_all(process.pid)

    def _verdict(self, ended: Sequence[asyncio.Task[None]]) -> bool:
        for task in ended:
            error = task.exception()
            if not isinstance(error, PartFailed):
                task.result()
            self._say(str(error))
        return not ended

    async def _all_ready(self, announce: Callable[[], None]) -> None:
        while waiting := [name for name, event in self._ready.items() if not event.is_set()]:
            try:
                async with asyncio.timeout(SAY_WAITING_S):
                    await asyncio.gather(*(self._ready[name].wait() for name in waiting))
            except TimeoutError:
                self._say(f"  still starting: {', '.join(name for name in waiting if not self._ready[name].is_set())}")
        announce()

    async def _keep_alive(self, part: Part) -> None:
        """Never returns. Raises PartFailed if the first start fails, or the part dies too often."""
        for name in part.needs:
            await self._ready[name].wait()
        began_s = time.monotonic()
        process = await self._start(part)
        await process.ready()
        self._say(f"  {part.name:<10} ready after {time.monotonic() - began_s:.1f} s")
        self._ready[part.name].set()
        deaths_s: list[float] = []
        while True:
            await process.ended()
            self._count_death(part, process, deaths_s)
            process = await self._restart(part, process)

    def _count_death(self, part: Part, process: Process, deaths_s: list[float]) -> None:
        """Raises PartFailed once it died too often."""
        deaths_s.append(time.monotonic())
        recent = sum(1 for death_s in deaths_s if death_s > deaths_s[-1] - RESTART_WINDOW_S)
        if recent > part.restarts:
            raise PartFailed(f"{process.exit_reason()} (given up after {part.restarts} restarts)")
        self._say(f"{process.exit_reason()} (restarting, {recent} of {part.restarts})")

    async def _restart(self, part: Part, dead: Process) -> Process:
        await dead.stop()  # whatever it started and left behind
        await asyncio.sleep(RESTART_PAUSE_S)
        process = await self._start(part)
        try:
            await process.ready()
            self._say(f"{part.name} is back")
        except PartFailed as failure:
            self._say(str(failure))
            await process.stop()  # counts as another death
        return process

    async def _start(self, part: Part) -> Process:
        process = self._processes[part.name] = Process(part, self._home.log(part.name))
        await process.start()
        pid = Pid.of(process.pid)
        if pid is not None:
            self._state.parts[part.name] = pid
            self._state.write(self._home.state_file)
        return process

    async def _stop(self) -> None:
        """Stops parts in reverse, one after the other: the gateway lets its sessions go while what they use still runs."""
        for part in reversed(self._parts):
            if part.name in self._processes:
                await self._processes[part.name].stop()
        self._home.state_file.unlink(missing_ok=True)


async def _cancel(tasks: Sequence[asyncio.Task[object]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
