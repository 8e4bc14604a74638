"""The cache folder: things computed once from weights and kept, safe against crashes and other processes.

It holds nothing that cannot be made again; deleting it only costs time. Every user may read it: an image's is made by root and
read by a user without rights. Where it is read-only, what it lacks is made among the temporary files.
"""

import errno
import logging
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

Progress = Callable[[float], None]  # told the share done, 0..1
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
log = logging.getLogger(__name__)


class CacheError(OSError):
    """The cache cannot be written. The message says why, and names A2_HOME."""


def cache_dir() -> Path:
    """`$A2_HOME`, else `a2llm` in the user's cache folder. Not made here."""
    if home := os.environ.get("A2_HOME"):
        return Path(home).expanduser()
    return _user_cache() / "a2llm"


def cached(key: str) -> Path | None:
    """Path of what was made under `key`; None if it is not there."""
    if os.path.isdir(ready := cache_dir() / key):  # a folder that we may not look into is none, and no error
        return ready
    spare = _spare_dir()
    return spare / key if os.path.isdir(spare / key) and _is_ours(spare) else None


def build_once(key: str, build: Callable[[Path], None]) -> Path:
    """The folder of `key`, made by `build(folder)` if it is not there yet.

    A second process waits for the first; a failed or killed build leaves no folder of that name. Raises CacheError for a full disk
    and for a place that cannot be made.
    """
    if ready := cached(key):
        return ready
    final = _writable_dir(key) / key
    try:
        with FileLock(final.parent / f".{key}.lock"):
            if not final.is_dir():
                _remove_leftovers(final)
                _build_aside(final, build)
    except Exception as error:
        if _disk_is_full(error):
            raise CacheError(f"{_disk_full(final.parent)} ({error})") from error
        raise
    return final


def _build_aside(final: Path, build: Callable[[Path], None]) -> None:
    aside = Path(tempfile.mkdtemp(prefix=_partial(final), dir=final.parent))
    try:
        build(aside)
        _let_all_read(aside)
        aside.rename(final)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _let_all_read(folder: Path) -> None:
    """mkdtemp and safetensors make what they write private to its writer."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _remove_leftovers(final: Path) -> None:
    """Called under the lock: whatever is partial belongs to a process that was killed."""
    for leftover in final.parent.glob(_partial(final) + "*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _partial(final: Path) -> str:
    return f".{final.name}.partial-"


# --- where to write ---------------------------------------------------------------------------------------------------


def _writable_dir(key: str) -> Path:
    """The cache; where it is read-only, the spare folder."""
    home = cache_dir()
    try:
        return _try_to_write(home)
    except OSError as error:
        if error.errno in _FULL:
            raise CacheError(_disk_full(home)) from error
        if error.errno not in _READ_ONLY:
            raise CacheError(f"the cache folder {home} cannot be made ({error.strerror}): set A2_HOME to another") from error
        return _instead_of(home, key, error)


def _instead_of(home: Path, key: str, reason: OSError) -> Path:
    spare = _spare_dir()
    try:
        spare.mkdir(mode=0o700, exist_ok=True)
        if not _is_ours(spare):
            raise CacheError(f"{spare} belongs to another user")
        _try_to_write(spare)
    except OSError as error:
        raise CacheError(
            f"neither the cache folder {home} ({reason.strerror}) nor {spare} ({error.strerror or error}) can be written: "
            "set A2_HOME to a folder that can"
        ) from error
    log.warning(
        "the cache folder %s lacks %s and cannot be written (%s): making it in %s, where it may not outlive a restart. "
        "A2_HOME names a folder that keeps it",
        home,
        key,
        reason.strerror,
        spare,
    )
    return spare


def _try_to_write(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x")
    return folder


def _spare_dir() -> Path:
    """Folder of this user below $TMPDIR."""
    try:
        return Path(tempfile.gettempdir()) / f"a2llm-{_user()}"
    except FileNotFoundError:  # nothing at all can be written
        return Path("/tmp") / f"a2llm-{_user()}"


def _is_ours(folder: Path) -> bool:
    """Below /tmp anybody can lay a folder of that name, with weights of his own."""
    facts = folder.lstat()
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == _user() and not facts.st_mode & 0o022


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _disk_is_full(error: Exception) -> bool:
    """safetensors has errors of its own, with the system's number in the text."""
    number = error.errno if isinstance(error, OSError) else next(iter(re.findall(r"os error (\d+)", str(error))), 0)
    return int(number or 0) in _FULL


def _disk_full(folder: Path) -> str:
    free_mb = shutil.disk_usage(folder).free // 1_000_000 if folder.is_dir() else 0
    return f"no room in the cache folder {folder} ({free_mb} MB free): make some, or set A2_HOME to a folder on another disk"


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
