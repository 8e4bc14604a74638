"""Folders in which the supervisor keeps things on this machine. Paths only; nothing is made here but by `private_folder`."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Home:
    """`run`: logs and state of what runs, made again at will. `data`: the recorder's database. `tenants_file`: keys, hashed."""

    run: Path
    data: Path
    tenants_file: Path

    @property
    def key_file(self) -> Path:
        """The development key itself, beside the file that has its hash."""
        return self.tenants_file.with_name("dev_key")

    @property
    def state_file(self) -> Path:
        return self.run / "state.json"

    @property
    def lock_file(self) -> Path:
        return self.run / "lock"

    def log(self, part: str) -> Path:
        return self.run / f"{part}.log"


def find_home() -> Home:
    """All under `$A2_HOME`, else in the user's own folders; `A2_RUN_FOLDER` and `A2_TENANTS_FILE` move one of them."""
    whole = os.environ.get("A2_HOME")
    run = os.environ.get("A2_RUN_FOLDER") or cache_folder() / "run"
    data = whole or _user_folder("XDG_DATA_HOME", "~/.local/share") / "a2llm"
    tenants = os.environ.get("A2_TENANTS_FILE") or Path(whole or _user_folder("XDG_CONFIG_HOME", "~/.config") / "a2llm") / "tenants.toml"
    return Home(Path(run).expanduser(), Path(data).expanduser(), Path(tenants).expanduser())


def cache_folder() -> Path:
    """`$A2_HOME`, else ours among the user's caches: what can be made or fetched again."""
    return Path(os.environ.get("A2_HOME") or _user_cache() / "a2llm").expanduser()


def private_folder(path: Path) -> Path:
    """The folder, made for this user alone: logs name sessions and tenants."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _user_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    return _user_folder("XDG_CACHE_HOME", "~/.cache")


def _user_folder(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or default).expanduser()
