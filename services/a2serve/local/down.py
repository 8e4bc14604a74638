"""`make down`: stops what another terminal started, or what a lost one left behind. Spares a process that got an old id."""

import os
import signal
import time
from collections.abc import Callable

import psutil

from a2serve.local.home import Home
from a2serve.local.process import signal_group
from a2serve.local.state import Pid, read_state

SUPERVISOR_S = 90.0  # it stops its parts one after the other, each with its own patience
PART_S = 10.0
LOOK_EVERY_S = 0.05


def stop_what_runs(home: Home, say: Callable[[str], None], supervisor_s: float = SUPERVISOR_S) -> None:
    """Returns when nothing of it runs any more."""
    state = read_state(home.state_file)
    if state is None:
        say("nothing runs")
        return
    if state.supervisor.is_alive:
        say(f"stopping {state.url}")
        _end_supervisor(state.supervisor, supervisor_s)
    for name, pid in reversed(state.parts.items()):
        if not pid.is_replaced and _end_group(pid.pid):
            say(f"stopped {name}, which was left behind")
    home.state_file.unlink(missing_ok=True)
    say("stopped")


def _end_supervisor(supervisor: Pid, patience_s: float) -> None:
    os.kill(supervisor.pid, signal.SIGTERM)
    if not _becomes(lambda: not supervisor.is_alive, patience_s):
        os.kill(supervisor.pid, signal.SIGKILL)


def _end_group(group: int) -> bool:
    """Whether there was anything to end."""
    if not _members(group):
        return False
    signal_group(group, signal.SIGTERM)
    if not _becomes(lambda: not _members(group), PART_S):
        signal_group(group, signal.SIGKILL)
        _becomes(lambda: not _members(group), PART_S)
    return True


def _members(group: int) -> list[int]:
    """Processes of the group that are not zombies."""
    found: list[int] = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (ProcessLookupError, PermissionError, psutil.Error):  # it ended meanwhile, or is not ours
            continue
    return found


def _becomes(condition: Callable[[], bool], patience_s: float) -> bool:
    last_s = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > last_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
