"""Looks at a release in the cluster: what does not run and why, whom Services reach, what a budget allows."""

from collections.abc import Iterator

from kube.api import Api, Object, Refused
from kube.pod_states import to_an_end


def condition(thing: Object, kind: str) -> str:
    """Its status; empty where there is none."""
    return next((each["status"] for each in thing.get("status", {}).get("conditions", []) if each["type"] == kind), "")


def trouble(pod: Object) -> str:
    """Why it does not run: the scheduler's words, or the kubelet's."""
    said = [
        each.get("message", "")
        for each in pod["status"].get("conditions", [])
        if each["type"] == "PodScheduled" and each["status"] == "False"
    ]
    for status in pod["status"].get("containerStatuses", []):
        if waits := status.get("state", {}).get("waiting"):
            said.append(f"{status['name']}: {waits['reason']}: {waits.get('message', '')}")
    return "; ".join(said)


def unsettled(api: Api, namespace: str) -> list[str]:
    """Empty when all that shall run runs."""
    return [*_pods(api, namespace), *_rollouts(api, namespace), *_ray(api, namespace)]


def _pods(api: Api, namespace: str) -> Iterator[str]:
    for pod in api.items("pods", namespace):
        if "deletionTimestamp" in pod["metadata"]:
            yield f"pod {pod['metadata']['name']} is on its way out"
        elif not to_an_end(pod) and condition(pod, "Ready") != "True":
            yield f"pod {pod['metadata']['name']} {pod['status'].get('phase')}: {trouble(pod)}"


def _rollouts(api: Api, namespace: str) -> Iterator[str]:
    for kind in ("deployments", "statefulsets"):
        for each in api.items(kind, namespace):
            status, wanted = each.get("status", {}), each["spec"].get("replicas", 1)
            seen = status.get("observedGeneration", 0) >= each["metadata"]["generation"]
            counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
            if not seen or counts != [wanted] * 3:
                yield f"{kind} {each['metadata']['name']}: {counts} of {wanted}"


def _ray(api: Api, namespace: str) -> Iterator[str]:
    for each in api.items("rayservices", namespace):
        seen = each.get("status", {}).get("observedGeneration", 0) >= each["metadata"]["generation"]
        if not seen or condition(each, "Ready") != "True" or condition(each, "UpgradeInProgress") == "True":
            yield f"rayservice {each['metadata']['name']}: {each.get('status', {}).get('conditions')}"


def paused(api: Api, namespace: str) -> bool:
    """A rollout is held."""
    return any(each["spec"].get("paused") for each in api.items("deployments", namespace))


def ready(pods: list[Object]) -> list[Object]:
    return [pod for pod in pods if condition(pod, "Ready") == "True"]


def endpoints(api: Api, namespace: str, service: str) -> set[str]:
    """Names of the pods that it sends calls to."""
    found = api.items("endpointslices", namespace, f"kubernetes.io/service-name={service}")
    return {each["targetRef"]["name"] for one in found for each in one.get("endpoints") or [] if each["conditions"].get("ready")}


def warnings(api: Api, namespace: str) -> list[str]:
    """Events that are no good news."""
    return [
        f"{each['involvedObject']['kind']} {each['involvedObject']['name']}: {each['reason']}: {each.get('message', '')}"
        for each in api.items("events", namespace)
        if each["type"] == "Warning"
    ]


def evict(api: Api, namespace: str, pod: str) -> bool:
    """Evicts a pod as `kubectl drain` does. False: a disruption budget forbids it."""
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
    try:
        api.ask("POST", api.path("pods", namespace, pod) + "/eviction", body)
    except Refused as refused:
        if refused.status != 429:
            raise
        return False
    return True
