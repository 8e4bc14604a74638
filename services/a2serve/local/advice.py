"""Explains what is wrong with this machine's folders and ports, in a sentence that names the setting which helps."""

import errno
from pathlib import Path

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}
SETTINGS = "A2_HOME (everything), A2_RUN_FOLDER (logs and state) or A2_TENANTS_FILE (keys)"


def is_full(error: OSError) -> bool:
    """The disk, or this user's share of it."""
    return error.errno in _FULL


def explain(error: BaseException) -> str:
    """Explains an error in one line. Our own errors are complete; the system's are given what helps against them."""
    if not isinstance(error, OSError):
        return str(error)
    place = str(error.filename or "")
    if is_full(error):  # a write that fails says no name
        return f"the disk{f' of {Path(place).parent}' if place else ''} is full: make room, or move what we keep with {SETTINGS}"
    if place and error.errno in _CLOSED:
        return f"{place} cannot be written ({error.strerror}): mend its rights, or choose other folders with {SETTINGS}"
    if place and error.errno in _IN_THE_WAY:
        return f"{place} is in the way ({error.strerror}): choose other folders with {SETTINGS}"
    return str(error)
