"""The spool: a file for what Redis does not take now, one line of JSON for each entry, delivered in order once Redis is back.

Each process writes a file of its own and holds a lock on it; a file without one is a dead process's and is delivered by the first
process that finds it. An entry is in the file when `put` returns, so it survives this process; it is on the disk a second later, so
that a machine that loses power loses that second. What is delivered may be delivered again: records and items carry their ids.
"""

import asyncio
import fcntl
import hashlib
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from redis.exceptions import RedisError

LOOK_S = 1.0
LOOK_FOR_DEAD_S = 15.0
log = logging.getLogger(__name__)

Entry: TypeAlias = dict[str, Any]
Deliver: TypeAlias = Callable[[Entry], Awaitable[None]]


class Spool:
    """`put` never waits; `run` delivers. Where the folder cannot be written, or is full, `put` says False and it is counted."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._own = folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._file: int | None = None
        self._size = self._delivered = 0
        self._synced = True
        self.dropped = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes of this process that are not delivered."""
        return self._size - self._delivered

    def put(self, entry: Entry) -> bool:
        """Keeps an entry for later. False: the spool is full or its disk fails."""
        line = orjson.dumps(entry) + b"\n"
        try:
            if self._size + len(line) > self._most_bytes:
                raise OSError(f"the spool holds {self._size} bytes")
            if self._file is None:
                self._file = self._opened()
            os.write(self._file, line)
        except OSError as error:
            self.dropped += 1
            log.error("what Redis does not take cannot be spooled in %s either: %s", self._folder, error)
            return False
        self._size, self._synced = self._size + len(line), False
        return True

    async def run(self, deliver: Deliver, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Delivers entries until it is cancelled."""
        looked_s = -LOOK_FOR_DEAD_S
        while True:
            now_s = asyncio.get_running_loop().time()
            if now_s - looked_s >= LOOK_FOR_DEAD_S:
                looked_s = now_s
                await self._deliver_of_dead(deliver)
            await self._sync()
            await self._deliver_own(deliver)
            await pause(LOOK_S)

    def close(self) -> None:
        """Closes the file. What is left is delivered by another process, or by the next one here."""
        if self._file is not None:
            if not self.waiting_bytes:
                self._own.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._own, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)  # conversations are in it
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file

    async def _sync(self) -> None:
        if self._file is not None and not self._synced:
            self._synced = True
            await asyncio.to_thread(os.fsync, self._file)

    async def _deliver_own(self, deliver: Deliver) -> None:
        if not self.waiting_bytes or self._file is None:
            return
        with suppress(RedisError):
            await _each(self._own, deliver, self._delivered, self._note)
        if not self.waiting_bytes:
            os.ftruncate(self._file, 0)
            self._size = self._delivered = 0

    def _note(self, count: int) -> None:
        self._delivered += count

    async def _deliver_of_dead(self, deliver: Deliver) -> None:
        with suppress(RedisError, OSError):
            for path in sorted(self._folder.glob("*.jsonl")):
                if path != self._own:
                    await _deliver_unlocked(path, deliver)


async def _deliver_unlocked(path: Path, deliver: Deliver) -> None:
    """Delivers a file whose writer is gone, then removes it."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        await _each(path, deliver, 0, lambda _: None)
        path.unlink(missing_ok=True)
        log.info("delivered what a gateway that is gone had spooled", extra={"file": path.name})


async def _each(path: Path, deliver: Deliver, start: int, note: Callable[[int], None]) -> None:
    """Entry by entry from `start` on. Raises RedisError at the first one that Redis does not take."""
    with path.open("rb") as file:
        file.seek(start)
        while line := file.readline():
            entry = _entry(line, path)
            if entry is not None:
                await deliver(entry)
            note(len(line))


def names_redis(url: str) -> str:
    """Name of the folder for entries of that Redis and no other."""
    return hashlib.sha256(url.encode()).hexdigest()[:12]


def _entry(line: bytes, path: Path) -> Entry | None:
    """None for half a line: its process died while it wrote."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        log.warning("a line of the spool cannot be read", extra={"file": path.name, "bytes": len(line)})
        return None
