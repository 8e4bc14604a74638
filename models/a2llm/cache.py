"""The cache folder: things computed once from weights and kept, safe against crashes and other processes.

It holds nothing that cannot be made again; deleting it only costs time.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

Progress = Callable[[float], None]  # told the share done, 0..1


def cache_dir() -> Path:
    """`$A2_HOME`, else `a2llm` in the user's cache folder. Not made here."""
    if home := os.environ.get("A2_HOME"):
        return Path(home).expanduser()
    return _user_cache() / "a2llm"


def build_once(key: str, build: Callable[[Path], None]) -> Path:
    """The folder `cache_dir()/key`, made by `build(folder)` if it is not there yet.

    A second process waits for the first; a failed or killed build leaves no folder of that name.
    """
    final = cache_dir() / key
    if final.is_dir():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.parent / f".{final.name}.lock"):
        if not final.is_dir():
            _remove_leftovers(final)
            _build_aside(final, build)
    return final


def _build_aside(final: Path, build: Callable[[Path], None]) -> None:
    aside = Path(tempfile.mkdtemp(prefix=_partial(final), dir=final.parent))
    try:
        build(aside)
        aside.chmod(0o755)  # mkdtemp makes it private; a cache may be shared
        aside.rename(final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _remove_leftovers(final: Path) -> None:
    """Called under the lock: whatever is partial belongs to a process that was killed."""
    for leftover in final.parent.glob(_partial(final) + "*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _partial(final: Path) -> str:
    return f".{final.name}.partial-"


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
