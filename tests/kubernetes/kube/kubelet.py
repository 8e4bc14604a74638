"""Runs the pods of nodes without machines: they become Running and Ready without images, if what they name is there.

A pod whose Secret, key, ConfigMap or claim is missing waits, as with a real kubelet, and says so; a disk that another node has (a claim
ReadWriteOnce) is not attached a second time. Pods of Jobs and of Helm's hooks succeed after a second, except
those that are processes here (hooks.py); deleted pods go after two.
Annotations steer a pod: tests/unready (it runs and is not ready), tests/fail (it ends with 1).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from kube.api import Api, Object, Refused
from kube.hooks import Hooks, program
from kube.pod_states import Things, ended, now, started, to_an_end, waiting

PERIOD_S, BEAT_S = 0.5, 15.0
GRACE_S, JOB_S = 2.0, 1.0
UNREADY, FAIL = "tests/unready", "tests/fail"
STATUS = "application/strategic-merge-patch+json"
NODE_INFO = dict.fromkeys(
    ("bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "machineID", "osImage", "systemUUID"), "tests"
) | {"architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.37.2"}


class Kubelet:
    """One for all nodes whose taint or label says nothing else; in a thread."""

    def __init__(self, api: Api, hooks: Hooks) -> None:
        self._api, self._hooks, self._stop = api, hooks, threading.Event()
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)
        self._since: dict[tuple[str, str, bool], float] = {}
        self._said: dict[str, str] = {}
        self._beaten_s = 0.0
        self._held = False
        self._apart_s = 0.0
        self._began_s: dict[str, float] = {}

    def __enter__(self) -> "Kubelet":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._hooks.stop_all()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """No pod starts meanwhile: images are pulled, models load."""
        self._held = True
        try:
            yield
        finally:
            self._held = False

    @contextmanager
    def apart(self, seconds: float) -> Iterator[None]:
        """Workers of Ray start one after the other meanwhile: nodes and models are not there all at once."""
        self._apart_s = seconds
        try:
            yield
        finally:
            self._apart_s = 0.0

    def _early(self, pod: Object) -> bool:
        if not self._apart_s or pod["metadata"].get("labels", {}).get("ray.io/node-type") != "worker":
            return False
        space = pod["metadata"]["namespace"]
        if time.monotonic() - self._began_s.get(space, 0.0) < self._apart_s:
            return True
        self._began_s[space] = time.monotonic()
        return False

    def _run(self) -> None:
        while not self._stop.wait(PERIOD_S):
            try:
                if time.monotonic() - self._beaten_s > BEAT_S:
                    self._beat()
                    self._beaten_s = time.monotonic()
                self._look()
            except (httpx.TransportError, Refused) as error:  # the next round tries again
                print("kubelet:", error, flush=True)

    def _beat(self) -> None:
        condition = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "", "lastHeartbeatTime": now()}
        for node in self._api.items("nodes"):
            known = [each for each in node["status"].get("conditions", []) if each["type"] == "Ready" and each["status"] == "True"]
            status = {
                "conditions": [condition | {"lastTransitionTime": known[0]["lastTransitionTime"] if known else now()}],
                "nodeInfo": NODE_INFO,
            }
            self._api.ask("PATCH", self._api.path("nodes", name=node["metadata"]["name"]) + "/status", {"status": status}, STATUS)

    def _look(self) -> None:
        pods = [pod for pod in self._api.items("pods") if pod["spec"].get("nodeName")]
        self._hooks.keep({pod["metadata"]["uid"] for pod in pods})
        have = Things(self._api, pods) if any(pod["status"].get("phase") == "Pending" for pod in pods) else None
        for pod in pods:
            try:
                self._step(pod, have)
            except Refused as refused:
                if refused.status not in (404, 409):
                    raise

    def _step(self, pod: Object, have: Things | None) -> None:
        meta, phase = pod["metadata"], pod["status"].get("phase")
        deleted, marks = "deletionTimestamp" in meta, meta.get("annotations", {})
        age_s = time.monotonic() - self._since.setdefault((meta["uid"], phase, deleted), time.monotonic())
        if deleted:
            self._hooks.stop(meta["uid"])
            if age_s > GRACE_S:
                self._api.ask("DELETE", self._api.path("pods", meta["namespace"], meta["name"]), {"gracePeriodSeconds": 0})
        elif phase == "Pending" and have and not self._held and not self._early(pod):
            self._begin(pod, have)
        elif phase == "Running":
            ready = any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))
            if FAIL in marks:
                self._say(pod, ended(pod, 1))
            elif to_an_end(pod):
                code = self._hooks.code(pod) if program(pod) else 0
                if code is not None and age_s > JOB_S:
                    self._say(pod, ended(pod, code))
            elif ready == (UNREADY in marks):
                self._say(pod, started(pod, not ready))

    def _begin(self, pod: Object, have: Things) -> None:
        wrong = next(have.missing(pod), None)
        if wrong is None:
            if program(pod):
                self._hooks.start(pod)
            self._say(pod, started(pod, UNREADY not in pod["metadata"].get("annotations", {})))
        elif self._said.get(pod["metadata"]["uid"]) != wrong[2]:
            self._said[pod["metadata"]["uid"]] = wrong[2]
            self._say(pod, {"containerStatuses": waiting(pod, *wrong)})

    def _say(self, pod: Object, status: Object) -> None:
        self._api.ask(
            "PATCH", self._api.path("pods", pod["metadata"]["namespace"], pod["metadata"]["name"]) + "/status", {"status": status}, STATUS
        )
