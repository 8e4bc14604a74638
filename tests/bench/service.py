"""The whole product as a user starts it, on a port and in folders of its own, timed until it takes work."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from a2serve.local.ports import free_ports
from a2serve.local.state import State, read_state

ROOT = Path(__file__).parents[2]
LOOK_EVERY_S = 0.05
STOP_S = 90.0


class Service:
    """A context: started and ready inside, stopped after. `ready_s`: from the command to the first 200 of /readyz.

    `checkout`: where `make up` runs; None: what it runs, without `make` and its set-up. `folder`: for logs, keys and records; with
    `own_home` for the converted weights too. `settings`: environment variables of the services.
    """

    def __init__(
        self,
        folder: Path,
        checkout: Path | None = ROOT,
        *,
        own_home: bool = False,
        timeout_s: float = 300.0,
        settings: dict[str, str] | None = None,
        profile: str = "default",
    ) -> None:
        self._timeout_s, self._folder = timeout_s, folder
        port = free_ports(1)[0]
        self.url = f"http://127.0.0.1:{port}"
        self.ready_s = 0.0
        local = [sys.executable, "-m", "a2serve.local", "--no-browser", "--port", str(port), "--profile", profile]
        made = ["make", "up", f"PORT={port}", f"PROFILE={profile}"]
        self._command, self._cwd = (made, checkout) if checkout else (local, ROOT)
        self._env = {
            **os.environ,
            "A2_RUN_FOLDER": str(folder / "run"),
            "A2_TENANTS_FILE": str(folder / "tenants.toml"),
            "XDG_DATA_HOME": str(folder / "data"),
            "MAKEFLAGS": "",
            "MAKELEVEL": "",
            **({"A2_HOME": str(folder)} if own_home else {}),
            **(settings or {}),
        }

    @property
    def key(self) -> str:
        return (self._folder / "dev_key").read_text().strip()

    @property
    def state(self) -> State:
        """Process ids of the parts."""
        state = read_state(self._folder / "run" / "state.json")
        assert state is not None, "it does not run"
        return state

    def __enter__(self) -> "Service":
        self._folder.mkdir(parents=True, exist_ok=True)
        began_s = time.monotonic()
        with (self._folder / "up.log").open("ab") as log:
            self._up = subprocess.Popen(
                self._command, cwd=self._cwd, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            self._wait(began_s + self._timeout_s)
        except BaseException:
            self._stop()
            raise
        self.ready_s = time.monotonic() - began_s
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _wait(self, until_s: float) -> None:
        while not self._is_ready():
            if self._up.poll() is not None:
                raise RuntimeError(f"it ended with {self._up.returncode}; see {self._folder / 'up.log'}")
            if time.monotonic() > until_s:
                raise TimeoutError(f"not ready within {self._timeout_s:.0f} s; see {self._folder / 'up.log'}")
            time.sleep(LOOK_EVERY_S)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return response.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def _stop(self) -> None:
        """The supervisor stops its parts and waits for them; `make` passes SIGTERM on to it."""
        if self._up.poll() is None:
            self._up.terminate()
        try:
            self._up.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._up.pid, signal.SIGKILL)
            self._up.wait()


def fresh_checkout(folder: Path) -> Path:
    """Copies what a clone of this working tree would hold, without what was built or installed in it."""
    listed = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, folder / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return folder
