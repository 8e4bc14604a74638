"""Gives each replica of a node a place, with its Triton and its metrics port. A lock on a file ends with the process, however it ends."""

import fcntl
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple


class NoPlace(RuntimeError):
    """Every place of this node is taken."""


class Place(NamedTuple):
    """`number` from 0. The lock is held until the descriptor is closed, at the latest by the kernel."""

    number: int
    descriptor: int

    def leave(self) -> None:
        os.close(self.descriptor)


def take_place(folder: str, application: str, places: int, patience_s: float = 0.0) -> Place:
    """The first that is free. Raises NoPlace after `patience_s`."""
    last_s = time.monotonic() + patience_s
    while True:
        for index in range(places):
            if place := _take(_lock_file(folder, application, index), index):
                return place
        if time.monotonic() >= last_s:
            raise NoPlace(f"all {places} places of {application} on this node are taken")
        time.sleep(0.05)


def _lock_file(folder: str, application: str, index: int) -> Path:
    """Lock file of a place, for this user alone: two may run the same application on one machine."""
    own = Path(folder) if folder else Path(tempfile.gettempdir()) / f"a2-places-{os.getuid()}"
    own.mkdir(mode=0o700, parents=True, exist_ok=True)
    return own / f"{application}-{index}.lock"


def _take(path: Path, index: int) -> Place | None:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return Place(index, descriptor)
