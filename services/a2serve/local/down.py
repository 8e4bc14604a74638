"""`make down`: stops what another terminal started, or what a lost one left behind. Spares a process that got an old id."""

import os
import signal
import time
from collections.abc import Callable

from a2serve.local.home import Home
from a2serve.local.process import kill_all, members, signal_group
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
        if not pid.is_replaced and _end_part(pid.pid):
            say(f"stopped {name}, which was left behind")
    home.state_file.unlink(missing_ok=True)
    say("stopped")


def _end_supervisor(supervisor: Pid, patience_s: float) -> None:
    os.kill(supervisor.pid, signal.SIGTERM)
    if not _becomes(lambda: not supervisor.is_alive, patience_s):
        os.kill(supervisor.pid, signal.SIGKILL)


def _end_part(pid: int) -> bool:
    """Whether there was anything to end."""
    if not members(pid):
        return False
    signal_group(pid, signal.SIGTERM)
    if not _becomes(lambda: not members(pid), PART_S):
        kill_all(pid)
        _becomes(lambda: not members(pid), PART_S)
    return True


def _becomes(condition: Callable[[], bool], patience_s: float) -> bool:
    last_s = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > last_s:
            return False
        time.sleep(LOOK_EVERY_S)
    return True
