"""Jobs of the chart that speak to the API server run for real: their Python program, on this machine, with their ServiceAccount's token.

So a Role that lacks a right fails here as it would in a cluster. All other Jobs only end.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from kube.api import Api, Object
from kube.processes import tied


def speaks(pod: Object) -> bool:
    """To the API server, in Python."""
    command = pod["spec"]["containers"][0].get("command", [])
    return bool(pod["spec"].get("automountServiceAccountToken")) and command[:2] == ["python", "-c"]


class Hooks:
    """By the uid of their pods."""

    def __init__(self, api: Api, server: str, certificate: Path, folder: Path) -> None:
        self._api, self._server, self._certificate, self._folder = api, server, certificate, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, pod: Object) -> None:
        meta, container = pod["metadata"], pod["spec"]["containers"][0]
        account = self._account(meta["namespace"], pod["spec"]["serviceAccountName"])
        environment = {each["name"]: each["value"] for each in container.get("env", []) if "value" in each}
        environment |= {"ACCOUNT_FOLDER": str(account), "KUBERNETES_URL": self._server, "PATH": os.environ["PATH"]}
        with (self._folder / f"{meta['namespace']}-{meta['name']}.log").open("wb") as log:
            command = tied(sys.executable, *container["command"][1:], *container.get("args", []))
            self._running[meta["uid"]] = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def code(self, pod: Object) -> int | None:
        """None: it still runs."""
        return self._running[pod["metadata"]["uid"]].poll()

    def stop(self, uid: str) -> None:
        if process := self._running.pop(uid, None):
            process.kill()
            process.wait()

    def stop_all(self) -> None:
        for uid in list(self._running):
            self.stop(uid)

    def _account(self, namespace: str, name: str) -> Path:
        """As a kubelet mounts it."""
        folder = Path(tempfile.mkdtemp(prefix="account-", dir=self._folder))
        (folder / "token").write_text(self._api.token(namespace, name))
        (folder / "namespace").write_text(namespace)
        shutil.copyfile(self._certificate, folder / "ca.crt")
        return folder
