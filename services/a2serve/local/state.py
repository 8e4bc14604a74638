"""Records what runs so that another terminal can stop it: a lock that ends with the supervisor, and a file of process ids."""

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from a2serve.local.home import Home, private_folder


class AlreadyRunning(Exception):
    """Another supervisor holds the lock."""


@dataclass(frozen=True, slots=True)
class Pid:
    """A process, told apart from a later one with the same number by when it was made."""

    pid: int
    created_s: float

    @classmethod
    def of(cls, pid: int) -> "Pid | None":
        """None if there is no such process."""
        try:
            return cls(pid, psutil.Process(pid).create_time())
        except psutil.NoSuchProcess:
            return None

    @property
    def is_alive(self) -> bool:
        """True while the process runs; a zombie does not."""
        try:
            process = psutil.Process(self.pid)
            return abs(process.create_time() - self.created_s) < 0.5 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    @property
    def is_replaced(self) -> bool:
        """True if another process has the number now."""
        now = Pid.of(self.pid)
        return now is not None and abs(now.created_s - self.created_s) >= 0.5


@dataclass
class State:
    """The supervisor and its parts, in the order in which they were started."""

    supervisor: Pid
    url: str
    parts: dict[str, Pid] = field(default_factory=dict[str, Pid])

    @classmethod
    def mine(cls, url: str) -> "State":
        own = Pid.of(os.getpid())
        assert own is not None
        return cls(own, url)

    def write(self, path: Path) -> None:
        """Replaces the file as a whole."""
        aside = path.with_suffix(".new")
        try:
            aside.write_text(json.dumps(asdict(self), indent=1))
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def read_state(path: Path) -> State | None:
    """None if nothing was started, or the file is not ours."""
    try:
        raw = json.loads(path.read_text())
        return State(Pid(**raw["supervisor"]), raw["url"], {name: Pid(**pid) for name, pid in raw["parts"].items()})
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


@contextmanager
def only_supervisor(home: Home) -> Generator[None]:
    """Holds the lock, which the kernel frees whatever becomes of us. Raises AlreadyRunning."""
    private_folder(home.run)
    with home.lock_file.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            state = read_state(home.state_file)
            where = f" at {state.url}" if state else ""
            raise AlreadyRunning(f"it already runs{where}; `make down` stops it") from None
        yield
