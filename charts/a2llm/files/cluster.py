"""Calls that the chart's hooks make to the Kubernetes API: `python cluster.py bounds` after an upgrade, `farewell` before an end.

The gateway's image runs it. WANTED says what the chart wants, as JSON.

bounds    {"RayService": {"group": {"min": 1, "max": 4}}}: KubeRay takes another `min` or `max` for new Ray clusters only; the running ones
          are told here. And where going back from an upgrade that was stuck has made KubeRay fill a cluster like the active one, that
          one is forgotten.
farewell  ["RayService"]: deletes them, waits until their clusters and heads are gone, and clears Ray's state in Redis. An operator with its
          default setting has then cleared it, with the account and the Secret of the head, which must still be there.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import redis

ACCOUNT = Path(os.environ.get("ACCOUNT_FOLDER", "/var/run/secrets/kubernetes.io/serviceaccount"))
SERVER = os.environ.get("KUBERNETES_URL", "https://kubernetes.default.svc")
OWNER = "ray.io/originated-from-cr-name"
SPEC = "ray.io/hash-without-replicas-and-workers-to-delete"
PAUSE_S = 2.0
SETTLE_S = float(os.environ.get("SETTLE_S", "20"))  # KubeRay needs a moment to see what Helm has written
REQUEST_S = 10.0
TRIES = 30
ENDED: dict[str, str] = {}  # Ray clusters and their uids, which name what they keep in Redis; here, since a second try finds none


def call(method: str, kind: str, name: str = "", body: Any = None) -> Any:
    """Raises HTTPError for a refusal, other OSErrors when nobody answers."""
    group = "api" if kind.startswith("pods") else "apis/ray.io"
    path = f"/{group}/v1/namespaces/{(ACCOUNT / 'namespace').read_text().strip()}/{kind}{f'/{name}' if name else ''}"
    headers = {"Authorization": f"Bearer {(ACCOUNT / 'token').read_text().strip()}", "Content-Type": "application/json-patch+json"}
    request = urllib.request.Request(SERVER + path, None if body is None else json.dumps(body).encode(), headers, method=method)
    trust = ssl.create_default_context(cafile=ACCOUNT / "ca.crt") if SERVER.startswith("https:") else None
    with urllib.request.urlopen(request, timeout=REQUEST_S, context=trust) as response:
        return json.load(response)


def clusters(owners: Any) -> list[Any]:
    """The Ray clusters of these RayServices."""
    return [each for each in call("GET", "rayclusters")["items"] if each["metadata"].get("labels", {}).get(OWNER) in owners]


def changes(cluster: Any, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the changes as a JSON patch. Each is bound to the group's place: if the groups have moved meanwhile, the API refuses the
    whole."""
    patch: list[dict[str, Any]] = []
    for index, group in enumerate(cluster["spec"].get("workerGroupSpecs", [])):
        bounds, place = wanted.get(group["groupName"]), f"/spec/workerGroupSpecs/{index}"
        if bounds and (group.get("minReplicas"), group.get("maxReplicas")) != (bounds["min"], bounds["max"]):
            patch += [
                {"op": "test", "path": f"{place}/groupName", "value": group["groupName"]},
                {"op": "add", "path": f"{place}/minReplicas", "value": bounds["min"]},
                {"op": "add", "path": f"{place}/maxReplicas", "value": bounds["max"]},
            ]
    return patch


def pending(service: Any) -> str:
    """The cluster that is being filled; empty: none."""
    return service.get("status", {}).get("pendingServiceStatus", {}).get("rayClusterName", "")


def forget(service: Any, specs: dict[str, str]) -> None:
    """KubeRay compares what is wanted with the cluster that it fills, not with the active one: going back makes it fill another one like
    the active, which may find no GPU. Without it in the status the active one stays, and KubeRay ends all others."""
    active, name = service["status"].get("activeServiceStatus", {}).get("rayClusterName", ""), pending(service)
    if specs.get(name) and specs[name] == specs.get(active):
        place = "/status/pendingServiceStatus"
        patch = [{"op": "test", "path": f"{place}/rayClusterName", "value": name}, {"op": "remove", "path": place}]
        call("PATCH", "rayservices", f"{service['metadata']['name']}/status", patch)
        print(f"{name}: forgotten, {active} is the same", flush=True)


def settle(owners: Any) -> None:
    """Looks for a while whether a cluster like the active one is filled."""
    last = time.monotonic() + SETTLE_S
    while time.monotonic() < last:
        filling = [each for each in call("GET", "rayservices")["items"] if each["metadata"]["name"] in owners and pending(each)]
        if not filling:
            return
        specs = {each["metadata"]["name"]: each["metadata"].get("annotations", {}).get(SPEC, "") for each in clusters(owners)}
        for service in filling:
            forget(service, specs)
        time.sleep(PAUSE_S)


def bounds(wanted: dict[str, Any]) -> None:
    """Least and most workers; how many there are stays the autoscaler's."""
    for cluster in clusters(wanted):
        name = cluster["metadata"]["name"]
        if patch := changes(cluster, wanted[cluster["metadata"]["labels"][OWNER]]):
            call("PATCH", "rayclusters", name, patch)
        print(f"{name}: {'bounds changed' if patch else 'bounds as they should be'}", flush=True)
    settle(wanted)


def farewell(services: list[str]) -> None:
    """Waits as long as the Job may run."""
    ENDED.update({each["metadata"]["name"]: each["metadata"]["uid"] for each in clusters(services)})
    for name in services:
        try:
            call("DELETE", "rayservices", name)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
    while left := [each["metadata"]["name"] for each in clusters(services)] or heads():
        print(f"waiting for {', '.join(left)}", flush=True)
        time.sleep(PAUSE_S)
    clear(list(ENDED.values()))


def heads() -> list[str]:
    """Pods that may still write the state of a cluster that has ended."""
    pods = call("GET", "pods?labelSelector=ray.io/node-type%3Dhead")["items"]
    return [pod["metadata"]["name"] for pod in pods if pod["metadata"]["labels"].get("ray.io/cluster") in ENDED]


def clear(spaces: list[str]) -> None:
    """Ray's keys of these clusters. Where Redis cannot be asked, nobody waits: they expire by themselves (a2serve.inference.ray_lease)."""
    url, names = os.environ["RAY_REDIS_ADDRESS"].split(",")[0], {"username": "REDIS_USERNAME", "password": "REDIS_PASSWORD"}
    if url.startswith("rediss:"):
        names |= {"ssl_ca_certs": "RAY_REDIS_CA_CERT", "ssl_certfile": "RAY_REDIS_CLIENT_CERT", "ssl_keyfile": "RAY_REDIS_CLIENT_KEY"}
    options: dict[str, Any] = {option: os.environ.get(name) for option, name in names.items()}
    try:
        with redis.Redis.from_url(url, socket_timeout=REQUEST_S, socket_connect_timeout=REQUEST_S, **options) as client:
            for space in spaces:
                count = sum(client.unlink(key) for key in client.scan_iter(f"RAY{space}@*", 1000))
                print(f"{space}: {count} keys deleted", flush=True)
    except redis.RedisError as error:
        print(f"keys in Redis are left to expire: {error}", flush=True)


def main(verb: str, wanted: Any) -> None:
    """A new pod's network may take a moment; a refusal is final."""
    for left in reversed(range(TRIES)):
        try:
            return {"bounds": bounds, "farewell": farewell}[verb](wanted)
        except urllib.error.HTTPError as error:
            if (error.code not in (409, 422, 429) and error.code < 500) or not left:
                sys.exit(f"the API server refuses: {error.code} {error.read().decode(errors='replace')[:500]}")
        except OSError as error:
            if not left:
                sys.exit(f"the API server does not answer at {SERVER}: {error}")
        time.sleep(PAUSE_S)
    return None


if __name__ == "__main__":
    main(sys.argv[1], json.loads(os.environ["WANTED"]))
