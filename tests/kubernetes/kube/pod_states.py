"""States of pods without images: what a pod waits for, and what is said of it when it has started or ended."""

import hashlib
import time
from collections.abc import Iterator

from kube.api import Api, Object


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Things:
    """Objects that pods name, as they are now: Secrets and ConfigMaps with their keys, claims, and on which node a claim's disk is."""

    def __init__(self, api: Api, pods: list[Object]) -> None:
        self._keys = {kind: {_place(each): set(each.get("data") or {}) for each in api.items(kind)} for kind in ("secrets", "configmaps")}
        self._claims = {_place(each): each for each in api.items("persistentvolumeclaims")}
        self._attached: dict[tuple[str, str], str] = {}
        for pod in pods:
            if pod["status"].get("phase") == "Running":
                self._attached.update({(pod["metadata"]["namespace"], name): pod["spec"]["nodeName"] for name in _claims_of(pod)})

    def missing(self, pod: Object) -> Iterator[tuple[str | None, str, str]]:
        """(container, reason, message) of what stops it."""
        space = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes", []):
            for kind, source, name in (
                (kind, volume.get(field), key)
                for field, kind, key in (("secret", "secrets", "secretName"), ("configMap", "configmaps", "name"))
            ):
                if source and not source.get("optional") and (space, source[name]) not in self._keys[kind]:
                    yield (
                        None,
                        "ContainerCreating",
                        f'MountVolume.SetUp failed for volume "{volume["name"]}": {kind[:-1]} "{source[name]}" not found',
                    )
        yield from self._volumes(pod)
        for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]:
            yield from self._environment(space, container)

    def _volumes(self, pod: Object) -> Iterator[tuple[None, str, str]]:
        for name in _claims_of(pod):
            place = pod["metadata"]["namespace"], name
            claim = self._claims.get(place)
            if claim is None or claim["status"].get("phase") != "Bound":
                yield None, "ContainerCreating", f'claim "{name}" is not bound'
            elif (
                claim["spec"]["accessModes"] == ["ReadWriteOnce"]
                and self._attached.setdefault(place, pod["spec"]["nodeName"]) != pod["spec"]["nodeName"]
            ):
                yield None, "ContainerCreating", f'Multi-Attach error for claim "{name}": it is on node {self._attached[place]}'

    def _environment(self, space: str, container: Object) -> Iterator[tuple[str, str, str]]:
        for variable in container.get("env", []):
            for field, kind in (("secretKeyRef", "secrets"), ("configMapKeyRef", "configmaps")):
                source = variable.get("valueFrom", {}).get(field)
                if not source or source.get("optional"):
                    continue
                keys = self._keys[kind].get((space, source["name"]))
                if keys is None:
                    yield container["name"], "CreateContainerConfigError", f'{kind[:-1]} "{source["name"]}" not found'
                elif source["key"] not in keys:
                    yield container["name"], "CreateContainerConfigError", f'{kind[:-1]} "{source["name"]}" has no key {source["key"]}'


def _place(thing: Object) -> tuple[str, str]:
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def _claims_of(pod: Object) -> list[str]:
    return [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"].get("volumes", []) if "persistentVolumeClaim" in volume]


def to_an_end(pod: Object) -> bool:
    """True for a pod of a Job, or one that Helm runs."""
    owners = {each["kind"] for each in pod["metadata"].get("ownerReferences", [])}
    return "Job" in owners or "helm.sh/hook" in pod["metadata"].get("annotations", {})


def _statuses(containers: list[Object], ready: bool, state: Object) -> list[Object]:
    return [
        {"name": each["name"], "image": each["image"], "imageID": "", "ready": ready, "started": ready, "restartCount": 0, "state": state}
        for each in containers
    ]


def _condition(kind: str, status: bool) -> Object:
    return {"type": kind, "status": str(status), "lastTransitionTime": now()}


def waiting(pod: Object, container: str | None, reason: str, message: str) -> list[Object]:
    """Statuses of its containers; those beside the one that is wrong are initializing."""
    own = pod["spec"]["containers"]
    return [
        {
            **status,
            "state": {"waiting": {"reason": reason if container in (None, status["name"]) else "PodInitializing", "message": message}},
        }
        for status in _statuses(own, False, {})
    ]


def started(pod: Object, ready: bool) -> Object:
    """Sidecars run, other init containers are through."""
    spec, runs = pod["spec"], {"running": {"startedAt": now()}}
    through = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": now(), "finishedAt": now()}}
    init = [
        status
        for each in spec.get("initContainers", [])
        for status in _statuses([each], True, runs if each.get("restartPolicy") == "Always" else through)
    ]
    conditions = [_condition(kind, True) for kind in ("Initialized", "PodReadyToStartContainers")]
    conditions += [_condition(kind, ready) for kind in ("Ready", "ContainersReady")]
    address = pod["status"].get("podIP") or _address(pod["metadata"]["uid"])
    return {
        "phase": "Running",
        "startTime": pod["status"].get("startTime") or now(),
        "podIP": address,
        "podIPs": [{"ip": address}],
        "hostIP": "127.0.0.1",
        "conditions": conditions,
        "containerStatuses": _statuses(spec["containers"], ready, runs),
        "initContainerStatuses": init,
    }


def _address(uid: str) -> str:
    """Nobody answers there: 10.244.0.0/16."""
    first, second = hashlib.sha256(uid.encode()).digest()[:2]
    return f"10.244.{first}.{second % 250 + 2}"


def ended(pod: Object, code: int) -> Object:
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "startedAt": now(), "finishedAt": now()}}
    return {
        "phase": "Failed" if code else "Succeeded",
        "conditions": [_condition("Ready", False), _condition("ContainersReady", False)],
        "containerStatuses": _statuses(pod["spec"]["containers"], False, state),
    }
