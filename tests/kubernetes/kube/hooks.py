"""Jobs of the chart that speak to the API server run for real: their Python program, on this machine, with their ServiceAccount's token.

So a Role that lacks a right fails here as it would in a cluster. What looks after Ray's state in Redis runs for real too, if that Redis is
on this machine: the container beside a head that keeps it alive, and KubeRay's Job that clears it, its own command with Ray's own program.
All other Jobs only end.
"""

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kube.api import Api, Object
from kube.processes import tied

GRACE_S = 2.0
NOBODY = "redis://127.0.0.1:1"  # an example's Redis is nowhere


def speaks(pod: Object) -> bool:
    """To the API server, in Python."""
    command = pod["spec"]["containers"][0].get("command", [])
    return bool(pod["spec"].get("automountServiceAccountToken")) and command[:2] == ["python", "-c"]


def program(pod: Object) -> Object | None:
    """The container that is a process here; of other pods it is only said that they run."""
    first, kind = pod["spec"]["containers"][0], pod["metadata"].get("labels", {}).get("ray.io/node-type")
    if speaks(pod) or (kind == "redis-cleanup" and _redis_is_here(first)):
        return first
    sidecars = pod["spec"].get("initContainers", []) if kind == "head" else []
    return next((each for each in sidecars if each["name"] == "ray-lease" and _redis_is_here(each)), None)


def _redis_is_here(container: Object) -> bool:
    return any(each["name"] == "RAY_REDIS_ADDRESS" and "//127.0.0.1:" in each.get("value", "") for each in container.get("env", []))


class Hooks:
    """By the uid of their pods."""

    def __init__(self, api: Api, server: str, certificate: Path, folder: Path) -> None:
        self._api, self._server, self._certificate, self._folder = api, server, certificate, folder
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, pod: Object) -> None:
        meta, container = pod["metadata"], program(pod)
        assert container
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environment = dict(self._environment(meta, container)) | {"PATH": path}
        if "RAY_REDIS_ADDRESS" in environment and not _redis_is_here(container):
            environment["RAY_REDIS_ADDRESS"] = NOBODY
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
            process.terminate()
            try:
                process.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def keep(self, uids: set[str]) -> None:
        """Ends what belongs to no pod any more: one was deleted by force."""
        for uid in set(self._running) - uids:
            self.stop(uid)

    def stop_all(self) -> None:
        self.keep(set())

    def _environment(self, meta: Object, container: Object) -> Iterator[tuple[str, str]]:
        """Environment of a container: what is written, what Secrets hold, and the pod's own annotations."""
        for each in container.get("env", []):
            source = each.get("valueFrom", {})
            if "value" in each:
                yield each["name"], each["value"]
            elif secret := source.get("secretKeyRef"):
                data = self._api.get("secrets", meta["namespace"], secret["name"])["data"]
                yield each["name"], base64.b64decode(data[secret["key"]]).decode()
            elif annotation := re.fullmatch(r"metadata\.annotations\['(.+)'\]", source.get("fieldRef", {}).get("fieldPath", "")):
                yield each["name"], meta["annotations"][annotation[1]]

    def _account(self, namespace: str, name: str) -> Path:
        """Writes the account's token and certificate as a kubelet mounts them."""
        folder = Path(tempfile.mkdtemp(prefix="account-", dir=self._folder))
        (folder / "token").write_text(self._api.token(namespace, name))
        (folder / "namespace").write_text(namespace)
        shutil.copyfile(self._certificate, folder / "ca.crt")
        return folder
