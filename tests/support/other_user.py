"""Runs Python as a user without rights, as a pod does: what root wrote is read there, and nothing can be written but TMPDIR."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from a2llm.cache import cache_dir

UID = 10001  # the images' user
needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
_BECOME = f"import os; os.setgroups([]); os.setgid({UID}); os.setuid({UID})"


@contextmanager
def image_folders() -> Iterator[tuple[Path, Path]]:
    """An A2_HOME that everybody may read and a TMPDIR that everybody may write. (pytest's own are closed to others.)"""
    with tempfile.TemporaryDirectory(prefix="a2-other-user-") as name:
        home, temporary = Path(name, "home"), Path(name, "tmp")
        for folder, mode in ((Path(name), 0o755), (home, 0o755), (temporary, 0o777)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        yield home, temporary


def run_as_user(before: str, program: str, home: Path, temporary: Path, timeout_s: float = 120) -> "subprocess.CompletedProcess[str]":
    """Python that does `before` as root, with root's cache, and `program` as the user, with A2_HOME: Python itself may lie where
    only root looks, so `before` has to import all.
    """
    become = f"{_BECOME}; os.environ['A2_HOME'] = {str(home)!r}"
    environment = {**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary), "XDG_CACHE_HOME": str(cache_dir().parent)}
    return subprocess.run(
        [sys.executable, "-B", "-c", "\n".join((before, become, program))],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def without_writing(folder: Path) -> Path:
    """Makes a folder as an image's layer leaves it: nobody may write, and times are whole seconds."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    return folder
