"""Jobs of the chart that speak to the API server run for real: their Python program, on this machine, with their ServiceAccount's token.

So a Role that lacks a right fails here as it would in a cluster. KubeRay's Job that clears Ray's state in Redis runs for real too, if
that Redis is on this machine: its own command, with Ray's own program. All other Jobs only end.
"""

import base64
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kube.api import Api, Object
from kube.processes import tied


def speaks(pod: Object) -> bool:
    """To the API server, in Python."""
    command = pod["spec"]["containers"][0].get("command", [])
    return bool(pod["spec"].get("automountServiceAccountToken")) and command[:2] == ["python", "-c"]


def clears_redis(pod: Object) -> bool:
    """KubeRay's Job, of a Redis that is here."""
    labels = pod["metadata"].get("labels", {})
    env = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0].get("env", [])}
    return labels.get("ray.io/node-type") == "redis-cleanup" and "//127.0.0.1:" in env.get("RAY_REDIS_ADDRESS", "")


def runs(pod: Object) -> bool:
    """It is a process here; other pods are only said to run."""
    return speaks(pod) or clears_redis(pod)


class Hooks:
    """By the uid of their pods."""

    def __init__(self, api: Api, server: str, certificate: Path, folder: Path) -> None:
        self._api, self._server, self._certificate, self._folder = api, server, certificate, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, pod: Object) -> None:
        meta, container = pod["metadata"], pod["spec"]["containers"][0]
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = dict(self._environment(meta["namespace"], container)) | {"PATH": path}
        if speaks(pod):
            account = self._account(meta["namespace"], pod["spec"]["serviceAccountName"])
            environment |= {"ACCOUNT_FOLDER": str(account), "KUBERNETES_URL": self._server}
        with (self._folder / f"{meta['namespace']}-{meta['name']}.log").open("wb") as log:
            command = tied(*container["command"], *container.get("args", []))
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

    def _environment(self, namespace: str, container: Object) -> Iterator[tuple[str, str]]:
        """What is written, and what Secrets hold."""
        for each in container.get("env", []):
            if "value" in each:
                yield each["name"], each["value"]
            elif source := each.get("valueFrom", {}).get("secretKeyRef"):
                secret = self._api.get("secrets", namespace, source["name"])
                yield each["name"], base64.b64decode(secret["data"][source["key"]]).decode()

    def _account(self, namespace: str, name: str) -> Path:
        """As a kubelet mounts it."""
        folder = Path(tempfile.mkdtemp(prefix="account-", dir=self._folder))
        (folder / "token").write_text(self._api.token(namespace, name))
        (folder / "namespace").write_text(namespace)
        shutil.copyfile(self._certificate, folder / "ca.crt")
        return folder
