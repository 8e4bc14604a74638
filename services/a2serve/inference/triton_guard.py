"""Ties a Triton server and the process in which one of its models runs (the stub) together: neither survives the other.

Without it a stub that is killed, by a lack of memory for instance, leaves its responses hanging while Triton goes on saying READY;
and a stub whose Triton is killed may stay behind with all its memory. A small process of its own, because the dead cannot act:
`python -I -S triton_guard.py TRITON STUB SHARED_MEMORY_NAME`: two inherited pidfds, which cannot come to mean another process; a
pipe from the stub is its standard input. Standard library only; Linux only, as Triton is.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

_LEAVE_S = 10.0  # a stub that announced its close may take so long to end
_SHARED_MEMORY = Path("/dev/shm")


class Guard:
    """Starts the guard's process. Made in the stub, whose parent is Triton."""

    def __init__(self) -> None:
        self._process = start(os.getppid(), os.getpid(), _region())

    def announce_close(self) -> None:
        """The stub is about to end because Triton asked it to."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it saw Triton die, and acts already
            self._process.stdin.write(b".")
            self._process.stdin.close()


def start(triton_pid: int, stub_pid: int, region: str) -> "subprocess.Popen[bytes]":
    """The guard's process. Its standard input: a byte announces the close, the end without one is a failure."""
    both = os.pidfd_open(triton_pid), os.pidfd_open(stub_pid)
    try:
        # A session of its own: it has to outlive a kill of the whole group by a moment.
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *map(str, both), region], stdin=subprocess.PIPE, pass_fds=both, start_new_session=True
        )
    finally:
        for process in both:
            os.close(process)


def _region() -> str:
    """The shared memory through which Triton and this stub talk; Triton names it in the stub's command line."""
    words = [os.fsdecode(word) for word in Path("/proc/self/cmdline").read_bytes().split(b"\0")]
    return next((word for word in words if word and "/" not in word and (_SHARED_MEMORY / word).is_file()), "")


def watch(triton: int, stub: int, region: str) -> None:
    """Returns when the stub has ended, and Triton too unless the stub announced its close."""
    pipe = sys.stdin.fileno()
    announced = pipe in _wait([triton, pipe], None) and bool(os.read(pipe, 1))
    if announced and _wait([stub], _LEAVE_S):
        return
    for process in [stub] if announced else [stub, triton]:
        _kill(process)
    if region:
        (_SHARED_MEMORY / region).unlink(missing_ok=True)


def _wait(files: list[int], timeout_s: float | None) -> list[int]:
    """Those that have something to say: data, or the end of a process."""
    return select.select(files, [], [], timeout_s)[0]


def _kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, signal.SIGKILL)


if __name__ == "__main__":
    watch(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
