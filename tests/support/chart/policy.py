"""Rules for every pod: pod security `restricted`, a read-only root, bounded, probed, of a named version. Problems as sentences."""

import re
from collections.abc import Iterator

from support.chart.render import Object, Pod, Rendered, environment, pods

RESTRICTED_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image"}
SECRET_NAME = re.compile(r"PASSWORD(?!_FILE$)|TOKEN$|SECRET|APIKEY|CREDENTIAL")
PASSWORD_IN_URL = re.compile(r"://[^/@]*:(?!\$\()[^/@]+@")
ASKING = ("head", "bounds", "farewell")  # who speaks to the API server
NEEDED = ("livenessProbe", "startupProbe", "readinessProbe")  # of what runs on; nothing waits for ray-lease
QUANTITY = re.compile(r"([0-9.]+)(m|[KMGT]i?)?")
UNITS = {"m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, None: 1}


def policy_problems(found: Rendered) -> list[str]:
    """Empty when all is well."""
    problems = [f"{pod.owner}: {problem}" for pod in pods(found) for problem in _pod(pod)]
    for pod in pods(found):
        problems += [f"{pod.owner}/{each['name']}: {problem}" for each in pod.containers for problem in _container(each, pod)]
    return problems + [
        f"{service['metadata']['name']}: {problem}" for service in found.of("RayService") for problem in _autoscaler(service)
    ]


def _pod(pod: Pod) -> Iterator[str]:
    spec, security = pod.spec, pod.spec.get("securityContext") or {}
    if security.get("runAsNonRoot") is not True or security.get("runAsUser") == 0 or security.get("runAsGroup") == 0:
        yield "may run as root"
    if not security.get("runAsUser") and any("/a2llm/" not in each["image"] for each in pod.containers):
        yield "leaves the user to an image that is not ours"  # ours says 10001; by name, or root, it would not start
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "has no seccomp profile"
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares a namespace of the host"
    if spec.get("automountServiceAccountToken") is not (pod.component in ASKING):
        yield "mounts a token that it does not need, or lacks one"
    if spec.get("enableServiceLinks") is not False:
        yield "gets variables of Services, which look like settings"
    if pod.lasting and "serviceAccountName" not in spec:
        yield "has no ServiceAccount of its own"
    for volume in spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= RESTRICTED_VOLUMES:
            yield f"volume {volume['name']} is a {kinds}"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {volume['name']} is not bounded"


def _container(container: Object, pod: Pod) -> Iterator[str]:
    yield from _security(container.get("securityContext") or {})
    yield from _resources(container.get("resources") or {})
    yield from _image(container["image"])
    long_running = pod.lasting and (container in pod.spec["containers"] or container.get("restartPolicy") == "Always")
    if long_running:
        yield from (f"has no {probe}" for probe in (NEEDED if container["name"] != "ray-lease" else NEEDED[:1]) if probe not in container)
    if container.get("imagePullPolicy") is None:
        yield "has no pull policy"
    for name, value in environment(container).items():
        if isinstance(value, str) and ((SECRET_NAME.search(name) and value not in ("true", "false")) or PASSWORD_IN_URL.search(value)):
            yield f"shows a secret in {name}"


def _security(security: Object) -> Iterator[str]:
    if security.get("allowPrivilegeEscalation") is not False or security.get("privileged"):
        yield "may gain privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "may write into its image"
    if security.get("capabilities") != {"drop": ["ALL"]}:
        yield "keeps capabilities"
    if security.get("runAsUser") == 0 or security.get("runAsNonRoot") is False:
        yield "runs as root"


def _resources(resources: Object) -> Iterator[str]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    yield from (f"requests no {name}" for name in ("cpu", "memory") if name not in requests)
    if "memory" not in limits:
        yield "has no memory limit"
    elif "memory" in requests and quantity(limits["memory"]) < quantity(requests["memory"]):
        yield "is limited to less memory than it requests"
    if "cpu" in limits:
        yield "is throttled: a CPU limit is a gap in somebody's sound"


def quantity(text: str | int) -> float:
    """Parses a quantity of Kubernetes."""
    match = QUANTITY.fullmatch(str(text))
    assert match, text
    return float(match[1]) * UNITS[match[2]]


def _image(image: str) -> Iterator[str]:
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if digest and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        yield f"image {image} has no digest that can be right"
    if not digest and tag in ("", "latest"):
        yield f"image {image} has no version"
    if "/" not in name or "." not in name.partition("/")[0]:
        yield f"image {image} does not say its registry"


def _autoscaler(service: Object) -> Iterator[str]:
    """KubeRay adds it to the head."""
    options = service["spec"]["rayClusterConfig"]["autoscalerOptions"]
    yield from (f"autoscaler {problem}" for problem in [*_security(options["securityContext"]), *_resources(options["resources"])])
