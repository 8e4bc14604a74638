"""The development key: made once by the gateway's own code, kept in a file that only this user may read."""

import hashlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from a2serve.local.home import Home, private_folder

TENANT = "dev"
# In a process of its own: `local` starts the other services and imports none of them.
_CREATE = "import sys, pathlib, a2serve.gateway.tenants as t; print(t.create_key(pathlib.Path(sys.argv[1]), sys.argv[2])[0])"


def dev_key(home: Home) -> str:
    """The key of tenant `dev`; a new one if there is none or it was revoked. Raises OSError when it cannot be made."""
    private_folder(home.key_file.parent)
    kept = _read(home.key_file)
    if kept and _is_valid(kept, home.tenants_file):
        return kept
    key = _create(home.tenants_file)
    aside = home.key_file.with_suffix(".new")
    aside.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key + "\n")
        aside.replace(home.key_file)
    finally:
        aside.unlink(missing_ok=True)
    return key


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        return ""


def _is_valid(key: str, tenants_file: Path) -> bool:
    """Its hash stands in the tenants file and was not revoked."""
    try:
        keys: list[dict[str, Any]] = tomllib.loads(tenants_file.read_text()).get("keys", [])
    except FileNotFoundError:
        return False
    except tomllib.TOMLDecodeError as error:
        raise OSError(f"{tenants_file}: {error}") from None
    digest = hashlib.sha256(key.encode()).hexdigest()
    return any(entry.get("sha256") == digest and "revoked" not in entry for entry in keys)


def _create(tenants_file: Path) -> str:
    command = [sys.executable, "-c", _CREATE, str(tenants_file), TENANT]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if made.returncode:
        said = made.stderr.strip().splitlines()[-1]
        if number := re.search(r"\[Errno (\d+)\]", said):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(tenants_file))
        raise OSError(f"no development key could be made: {said}")
    return made.stdout.strip()
