"""Whether what ends has the time that it needs, and whether what is asked on the way in and by probes is there."""

import re
from collections.abc import Iterator

from support.chart.render import Object, Pod, Rendered, environment, pods

CLOSING_S = 5  # uvicorn's own, after the drain
TRITON_S = 5  # its --exit-timeout-secs
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")
# What each is asked over HTTP, start, life and readiness.
ASKED = {
    "gateway": ("http/healthz", "http/healthz", "http/readyz"),
    "recorder": ("metrics/metrics", "metrics/metrics", "metrics/metrics"),
    "inference": ("", "metrics/metrics", ""),
    "ray-head": ("52365/api/healthz", "52365/api/healthz", "52365/api/healthz"),
    "ray-worker": ("52365/api/healthz", "52365/api/healthz", "serve/-/healthz"),
    "triton": ("triton-http/v2/models/a2llm/ready", "triton-http/v2/health/live", "triton-http/v2/models/a2llm/ready"),
    "collector": ("health/", "health/", "health/"),
}
INSIDE = ("/metrics", "/healthz", "/readyz", "/statusz", "/local/session", "/debug")


def lifecycle_problems(found: Rendered) -> list[str]:
    """Empty when all is well."""
    return [f"{pod.owner}: {problem}" for pod in pods(found) for check in (_ending, _probes, _loading) for problem in check(pod)] + [
        *_paths(found),
        *_sockets(found),
        *_replacing(found),
    ]


def _ending(pod: Pod) -> Iterator[str]:
    grace = pod.spec.get("terminationGracePeriodSeconds", 30)
    for container in pod.spec["containers"]:
        env, pause = environment(container), container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if container["name"] == "gateway":
            # Sessions leave, then what is being written, each within the drain's time.
            if pause < 5 or grace < pause + 2 * float(env["A2_GATEWAY_DRAIN_S"]) + 1 + CLOSING_S:
                yield f"{grace} s are not enough, or {pause} s too short for a load balancer"
        elif container["name"] == "inference" and grace < float(env["A2_INFERENCE_DRAIN_S"]) + 5:
            yield f"{grace} s are not enough to drain"
        # SIGTERM ends a Ray node at once, so answers end before it.
        elif container["name"] == "ray-worker" and (pause < float(env["A2_INFERENCE_DRAIN_S"]) or grace < pause + 10 + TRITON_S):
            yield f"{grace} s of grace, {pause} s of pause are not enough to drain"


def _probes(pod: Pod) -> Iterator[str]:
    for container in pod.containers:
        wanted = ASKED.get(container["name"], ("", "", ""))
        requests = [container.get(name, {}).get("httpGet") for name in PROBES]
        asked = tuple(f"{request['port']}{request['path']}" if request else "" for request in requests)
        if asked != wanted:
            yield f"{container['name']} is asked {asked}, not {wanted}"
        if container["name"] == "inference" and not all(container[name].get("grpc") for name in ("startupProbe", "readinessProbe")):
            yield "gRPC health is not asked"


def _loading(pod: Pod) -> Iterator[str]:
    """Weights take minutes; a liveness probe must wait for a busy second."""
    for container in pod.containers:
        if probe := container.get("startupProbe"):
            patience = probe["periodSeconds"] * probe["failureThreshold"]
            least = {"triton": 600, "inference": 600, "ray-worker": 120, "ray-head": 120}.get(container["name"], 30)
            if patience < least:
                yield f"{container['name']} is killed after {patience} s, loading may take {least}"
            stub = [int(arg.rpartition("=")[2]) for arg in container.get("args", []) if "stub-timeout-seconds" in arg]
            if stub and stub[0] < 600:
                yield "Triton gives its model too little time"
        if (probe := container.get("livenessProbe")) and probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3) < 30:
            yield f"{container['name']} is killed for a busy moment"


def _replacing(found: Rendered) -> Iterator[str]:
    for each in found.of("Deployment"):
        strategy = each["spec"].get("strategy", {})
        if each["metadata"]["name"].endswith("-gateway") and strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield "gateways go before new ones are ready"
        if "-inference-" in each["metadata"]["name"] and (strategy != {"type": "Recreate"} or each["spec"]["replicas"] != 1):
            yield "two standalone engines would share a GPU, or a session"
    for job in found.of("Job"):
        hooks = job["metadata"]["annotations"]["helm.sh/hook"]
        wanted = {
            "migrations": "pre-upgrade",
            "topics": "post-install,post-upgrade",
            "bounds": "post-upgrade,post-rollback",
            "farewell": "pre-delete",
        }
        if hooks != wanted[job["metadata"]["labels"]["app.kubernetes.io/component"]]:
            yield f"{job['metadata']['name']} runs at {hooks}"
        if "hook-failed" not in job["metadata"]["annotations"]["helm.sh/hook-delete-policy"]:
            yield f"{job['metadata']['name']} stays when it has failed"
        if job["spec"]["activeDeadlineSeconds"] != found.values["hookSeconds"]:
            yield f"{job['metadata']['name']} does not end when it should"


def public(found: Rendered) -> list[tuple[str, str]]:
    """(type, path) of all that is routed from outside; types Exact and Prefix."""
    paths = [
        (each["pathType"], each["path"])
        for ingress in found.of("Ingress")
        for rule in ingress["spec"]["rules"]
        for each in rule["http"]["paths"]
    ]
    return paths + [
        (match["path"]["type"].removeprefix("Path"), match["path"]["value"])
        for route in found.of("HTTPRoute")
        for rule in route["spec"]["rules"]
        for match in rule["matches"]
    ]


def _paths(found: Rendered) -> Iterator[str]:
    opened = public(found)
    if not opened:
        return
    yield from (f"{path} is public" for path in INSIDE if any(reaches(kind, prefix, path) for kind, prefix in opened))
    for path in (
        "/v1/realtime",
        "/v1/turns",
        "/avatars/woman.glb",
        *(("/", "/assets/page.js", "/lib/a2llm.js") if found.values["gateway"]["page"] else ()),
    ):
        if not any(reaches(kind, prefix, path) for kind, prefix in opened):
            yield f"{path} is not public"


def reaches(kind: str, prefix: str, path: str) -> bool:
    return path == prefix or (kind == "Prefix" and (path.startswith(prefix.rstrip("/") + "/")))


def _sockets(found: Rendered) -> Iterator[str]:
    """A socket lives for sessionMaxS; nothing on the way may end it earlier."""
    longest = found.values["gateway"]["settings"]["sessionMaxS"]
    for route in found.of("HTTPRoute"):
        if found.values["httpRoute"]["timeouts"]:
            limits = [
                rule["timeouts"].get("request")
                for rule in route["spec"]["rules"]
                if any(match["path"]["value"] == "/v1/realtime" for match in rule["matches"])
            ]
            if limits != ["0s"]:
                yield f"sockets are ended after {limits}"
    annotations: Object = {key: value for each in found.of("Ingress") for key, value in each["metadata"].get("annotations", {}).items()}
    said = [
        int(number)
        for key, value in annotations.items()
        if re.search(r"read-timeout|send-timeout|load-balancer-attributes", key)
        for number in re.findall(r"(?:^|timeout_seconds=)(\d+)", value)
    ]
    said += [each["spec"]["default"]["timeoutSec"] for each in found.of("GCPBackendPolicy")]
    yield from (f"a load balancer ends sockets after {limit} s" for limit in said if limit <= longest)
