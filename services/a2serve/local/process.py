"""One part as a process: started in a group of its own and tied to us, probed until ready, stopped with everything it started."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from a2serve.local import tie
from a2serve.local.probes import Probe

PROBE_EVERY_S = 0.05


@dataclass(frozen=True)
class Part:
    """A program to run. `needs`: parts that must be ready first. `stop_s`: how long SIGTERM may take before SIGKILL.

    `ends_its_own`: SIGTERM is for its first process alone, which ends those it started in the order they need.
    """

    name: str
    role: str
    command: tuple[str, ...]
    probe: Probe
    address: str
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    needs: tuple[str, ...] = ()
    ready_s: float = 60.0
    stop_s: float = 10.0
    restarts: int = 3
    ends_its_own: bool = False


class PartFailed(Exception):
    """A part that cannot run. The message is one line with the log's path."""


class Process:
    """One run of a part. A restart is a new Process."""

    def __init__(self, part: Part, log: Path) -> None:
        self.part, self._log = part, log
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Id of the process and of its group; 0 before start()."""
        return self._process.pid if self._process else 0

    async def start(self) -> None:
        """Returns at once; `ready()` waits."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                tie.__file__,
                str(os.getpid()),
                *self.part.command,
                env={**os.environ, **self.part.env},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops the parts in order
            )

    async def ready(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Returns when the probe succeeds. Raises PartFailed if the part ends, or is not ready in time."""
        last_s = now_s() + self.part.ready_s
        while not await self.part.probe():
            if self._running.returncode is not None:
                raise PartFailed(self.exit_reason())
            if now_s() > last_s:
                raise PartFailed(f"{self.part.name} was not ready within {self.part.ready_s:.0f} s; its log: {self._log}")
            await asyncio.sleep(PROBE_EVERY_S)

    async def ended(self) -> None:
        """Returns when the part has ended, for whatever reason."""
        await self._running.wait()

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL to whatever is left of all it started. Nothing happens if it never started."""
        if self._process is None:
            return
        if not self.part.ends_its_own:
            signal_group(self.pid, signal.SIGTERM)
        elif self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(self.part.stop_s):
                await self._process.wait()
        except TimeoutError:
            pass
        kill_all(self.pid)
        await self._process.wait()

    def exit_reason(self) -> str:
        """Says in one line how the process ended, what it printed last, and where its log is."""
        code = self._running.returncode or 0
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"stopped with exit code {code}"
        said = last_words(self._log)
        return f"{self.part.name} {how}{f': {said}' if said else ''}; its log: {self._log}"

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "start() comes first"
        return self._process


def kill_all(pid: int) -> None:
    """SIGKILL to the group, and to the groups that its processes made: a part is a session of its own."""
    signal_group(pid, signal.SIGKILL)
    for member in members(pid):
        with suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)


def members(part: int) -> list[int]:
    """Processes of a part, by the id of its first, that are not zombies."""
    found: list[int] = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == part and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, PermissionError, psutil.Error):  # it ended meanwhile, or is not ours
            continue
    return found


def signal_group(pid: int, number: signal.Signals) -> bool:
    """Whether anything in the group was there to be signalled."""
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        return False
    return True


def last_words(log: Path, limit: int = 400) -> str:
    """The last line that a log has to say, of a JSON line its message or the last line of its error; at most `limit` characters."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return ""
    line = next((line.strip() for line in reversed(lines) if line.strip()), "")
    try:
        said = json.loads(line)
        line = str(said.get("error") or said["message"]).strip().splitlines()[-1]
    except (ValueError, KeyError, AttributeError, TypeError, IndexError):
        pass
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
