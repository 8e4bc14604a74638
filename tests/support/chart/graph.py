"""Whether what names something else finds it: selectors, ports, Services, volumes, Secrets, accounts, targets, backends, addresses."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from support.chart.render import NAMESPACE, Pod, Rendered, environment, pods

RAY_AGENT = 52365  # in every Ray container; it listens for probes
PROBES = ("startupProbe", "livenessProbe", "readinessProbe")


def graph_problems(found: Rendered) -> list[str]:
    """Empty when all is well."""
    checks = (
        _names,
        _workloads,
        _services,
        _ports,
        _volumes,
        _references,
        _targets,
        _keda,
        _backends,
        _monitors,
        _budgets,
        _policies,
        _addresses,
    )
    return [problem for check in checks for problem in check(found)]


def matches(selector: dict[str, str], labels: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def _names(found: Rendered) -> Iterator[str]:
    counted = Counter((each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in found.objects)
    yield from (f"{key} is there {count} times" for key, count in counted.items() if count > 1)
    for each in found.objects:
        meta = each["metadata"]
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", meta["name"]):
            yield f"{each['kind']} {meta['name']}: not a name"
        if each["kind"] == "RayService" and len(meta["name"]) > 47:
            yield f"RayService {meta['name']} is too long for KubeRay"
        if meta.get("namespace", NAMESPACE) != NAMESPACE:
            yield f"{meta['name']} is in another namespace"


def _workloads(found: Rendered) -> Iterator[str]:
    for each in found.of("Deployment", "StatefulSet"):
        selector, name = each["spec"]["selector"]["matchLabels"], each["metadata"]["name"]
        if not matches(selector, each["spec"]["template"]["metadata"]["labels"]):
            yield f"{name} does not select its own pods"
        others = [pod.owner for pod in pods(found) if matches(selector, pod.labels) and pod.owner != f"{each['kind']} {name}"]
        if others:
            yield f"{name} selects pods of {others}"
    for pod in pods(found):
        for constraint in pod.spec.get("topologySpreadConstraints", []):
            if not matches(constraint["labelSelector"]["matchLabels"], pod.labels):
                yield f"{pod.owner} spreads others than itself"
        if pod.labels.get("app.kubernetes.io/instance") is None or not pod.component:
            yield f"{pod.owner} has no labels that policies could select"


def _services(found: Rendered) -> Iterator[str]:
    for service in found.services:
        name, selected = service["metadata"]["name"], selected_pods(found, service["spec"]["selector"])
        kinds = {(pod.component, pod.labels.get("a2llm/version")) for pod in selected}
        if len(kinds) != 1:
            yield f"Service {name} selects pods of {[pod.owner for pod in selected]}"
        for port in service["spec"]["ports"]:
            yield from (
                f"Service {name}: {pod.owner} has no port {port['targetPort']}"
                for pod in selected
                if port["targetPort"] not in _targeted(pod)
            )
    for each in found.of("StatefulSet"):
        if each["spec"]["serviceName"] not in {service["metadata"]["name"] for service in found.of("Service")}:
            yield f"{each['metadata']['name']} has no Service"


def selected_pods(found: Rendered, selector: dict[str, str]) -> list[Pod]:
    return [pod for pod in pods(found) if matches(selector, pod.labels)]


def _targeted(pod: Pod) -> set[str | int]:
    """A port may be meant by name or by number."""
    named = port_names(pod)
    return {*named, *named.values()}


def port_names(pod: Pod) -> dict[str, int]:
    return {port["name"]: port["containerPort"] for container in pod.containers for port in container.get("ports", [])}


def _ports(found: Rendered) -> Iterator[str]:
    for pod in pods(found):
        numbers = Counter(port["containerPort"] for container in pod.containers for port in container.get("ports", []))
        yield from (f"{pod.owner}: port {number} is taken twice" for number, count in numbers.items() if count > 1)
        for container in pod.containers:
            own = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            for probe in (container[name] for name in PROBES if name in container and "exec" not in container[name]):
                asked = next(probe[kind]["port"] for kind in ("httpGet", "grpc", "tcpSocket") if kind in probe)
                ray = container["name"].startswith("ray-") and asked == RAY_AGENT
                if asked not in own and asked not in own.values() and not ray:
                    yield f"{pod.owner}/{container['name']}: a probe asks port {asked}, which it has not"


def _volumes(found: Rendered) -> Iterator[str]:
    claims = {
        f"StatefulSet {each['metadata']['name']}": [claim["metadata"]["name"] for claim in each["spec"]["volumeClaimTemplates"]]
        for each in found.of("StatefulSet")
    }
    for pod in pods(found):
        there = [volume["name"] for volume in pod.spec.get("volumes", [])] + claims.get(pod.owner, [])
        used = {mount["name"] for container in pod.containers for mount in container.get("volumeMounts", [])}
        if len(set(there)) != len(there) or used != set(there):
            yield f"{pod.owner}: has volumes {sorted(there)}, mounts {sorted(used)}"
        without = set[str]() if "tenants" in there else {"A2_TENANTS_FILE"}  # where nobody has a key yet
        for container in pod.containers:
            paths = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
            if len(set(paths)) != len(paths):
                yield f"{pod.owner}/{container['name']}: mounts twice at one place"
            for name, value in environment(container).items():
                if name.endswith("_FILE") and name not in without and not any(f"{value}/".startswith(f"{path}/") for path in paths):
                    yield f"{pod.owner}/{container['name']}: {name} is {value}, which is not mounted"


def _references(found: Rendered) -> Iterator[str]:
    """Secrets are named by the values, never made here; accounts, ConfigMaps and claims are made here or named by the values."""
    given = set(strings(found.values))
    made = {
        kind: {each["metadata"]["name"] for each in found.of(kind)} for kind in ("ServiceAccount", "ConfigMap", "PersistentVolumeClaim")
    }
    yield from (f"a Secret is made: {each['metadata']['name']}" for each in found.of("Secret"))
    for pod in pods(found):
        account = pod.spec.get("serviceAccountName")
        if account not in made["ServiceAccount"] and (pod.lasting or account != "default"):
            yield f"{pod.owner}: no ServiceAccount {account}"
        for kind, name in named_in(pod.spec):
            if name not in made.get(kind, set()) | given:
                yield f"{pod.owner}: no {kind} {name}"
    for each in found.of("RayService"):
        yield from (
            f"{each['metadata']['name']}: no Secret {name}" for _, name in named_in(each["spec"]) if name not in given | made["ConfigMap"]
        )
    for each in found.of("Ingress"):
        yield from (f"Ingress: no Secret {tls['secretName']}" for tls in each["spec"].get("tls", []) if tls["secretName"] not in given)


def strings(value: Any) -> Iterator[str]:
    """All texts in a tree."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def named_in(tree: Any) -> Iterator[tuple[str, str]]:
    """(kind, name) of Secrets, ConfigMaps and claims that a tree names."""
    if isinstance(tree, list):
        for each in tree:
            yield from named_in(each)
    if not isinstance(tree, dict):
        return
    for key, value in tree.items():
        if key in ("secretKeyRef", "configMapKeyRef"):
            yield ("Secret" if key == "secretKeyRef" else "ConfigMap"), value["name"]
        elif key == "secret" and isinstance(value, dict) and "secretName" in value:
            yield "Secret", value["secretName"]
        elif key == "configMap" and isinstance(value, dict) and "name" in value:
            yield "ConfigMap", value["name"]
        elif key == "persistentVolumeClaim":
            yield "PersistentVolumeClaim", value["claimName"]
        elif key == "imagePullSecrets":
            yield from (("Secret", each["name"]) for each in value)
        else:
            yield from named_in(value)


def _targets(found: Rendered) -> Iterator[str]:
    """Checks the targets of autoscalers; one that is scaled must not say how many it is, and is scaled by one only."""
    counted = Counter(each["spec"]["scaleTargetRef"]["name"] for each in found.of("ScaledObject", "HorizontalPodAutoscaler"))
    yield from (f"{name} is scaled by {count}" for name, count in counted.items() if count > 1)
    for each in found.of("ScaledObject", "HorizontalPodAutoscaler"):
        spec = each["spec"]
        target = spec["scaleTargetRef"]
        goals = [
            one
            for one in found.of(target["kind"])
            if one["metadata"]["name"] == target["name"] and one["apiVersion"] == target["apiVersion"]
        ]
        if len(goals) != 1 or "replicas" in goals[0]["spec"]:  # nobody is asked here; test_chart_live has the rest
            yield f"{each['kind']} {each['metadata']['name']}: no {target['name']} that it could scale"
        low, high = (spec.get(name, spec.get(f"{name[:3]}ReplicaCount", 0)) for name in ("minReplicas", "maxReplicas"))
        if not 0 < low <= high and not (low == 0 <= high):
            yield f"{each['metadata']['name']}: from {low} to {high}"


def _keda(found: Rendered) -> Iterator[str]:
    """Checks the Secret's keys that KEDA's kafka trigger reads; it would ignore another name."""
    for each in found.of("TriggerAuthentication"):
        names = [ref["parameter"] for ref in each["spec"]["secretTargetRef"]]
        yield from (f"KEDA knows no {name}" for name in names if name not in ("username", "password", "ca", "cert", "key"))


def _backends(found: Rendered) -> Iterator[str]:
    services = {each["metadata"]["name"]: each["spec"]["ports"] for each in found.of("Service")}
    for route in found.of("HTTPRoute"):
        for backend in (each for rule in route["spec"]["rules"] for each in rule["backendRefs"]):
            if backend["port"] not in [port["port"] for port in services.get(backend["name"], [])]:
                yield f"HTTPRoute: no {backend}"
    for ingress in found.of("Ingress"):
        for path in (each for rule in ingress["spec"]["rules"] for each in rule["http"]["paths"]):
            backend = path["backend"]["service"]
            if backend["port"]["name"] not in [port["name"] for port in services.get(backend["name"], [])]:
                yield f"Ingress: no {backend}"


def _monitors(found: Rendered) -> Iterator[str]:
    for monitor in found.of("PodMonitor"):
        selected = selected_pods(found, monitor["spec"]["selector"]["matchLabels"])
        names = [set(port_names(pod)) for pod in selected if pod.lasting]
        for endpoint in monitor["spec"]["podMetricsEndpoints"]:
            if not names or not all(endpoint["port"] in each for each in names):
                yield f"{monitor['metadata']['name']}: port {endpoint['port']} is not in all of {[pod.owner for pod in selected]}"
    for monitor in found.of("ServiceMonitor"):
        selector = monitor["spec"]["selector"]["matchLabels"]
        services = [each for each in found.of("Service") if matches(selector, each["metadata"]["labels"])]
        for endpoint in monitor["spec"]["endpoints"]:
            if not services or any(endpoint["port"] not in [port["name"] for port in each["spec"]["ports"]] for each in services):
                yield f"ServiceMonitor {monitor['metadata']['name']}: no port {endpoint['port']}"


def _budgets(found: Rendered) -> Iterator[str]:
    for budget in found.of("PodDisruptionBudget"):
        selected = selected_pods(found, budget["spec"]["selector"]["matchLabels"])
        if len({pod.owner.split()[1] for pod in selected}) != 1 or not all(pod.lasting for pod in selected):
            yield f"PodDisruptionBudget {budget['metadata']['name']} selects {[pod.owner for pod in selected]}"
        if budget["spec"].get("maxUnavailable") == 0:
            yield f"PodDisruptionBudget {budget['metadata']['name']} keeps every node"


def _policies(found: Rendered) -> Iterator[str]:
    for policy in found.of("NetworkPolicy"):
        if not selected_pods(found, policy["spec"]["podSelector"]["matchLabels"]):
            yield f"NetworkPolicy {policy['metadata']['name']} is for nobody"


def _addresses(found: Rendered) -> Iterator[str]:
    """host:port of this release, wherever it is said: in variables, triggers, configuration."""
    services = {each["metadata"]["name"]: {port["port"] for port in each["spec"]["ports"]} for each in found.services}
    own = re.compile(rf"\b({re.escape(found.fullname)}-[-a-z0-9]+)(?::([0-9]+))?(?=[/,\s\"\\]|$)")
    variables = [environment(container) for pod in pods(found) for container in pod.containers]
    texts = [json.dumps(each) for each in variables if "WANTED" not in each]  # names of RayServices, no addresses
    texts += [json.dumps(trigger["metadata"]) for each in found.of("ScaledObject") for trigger in each["spec"]["triggers"]]
    texts += [each["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]["redisAddress"] for each in found.of("RayService")]
    texts += ["\n".join(each.get("command", []) + each.get("args", [])) for pod in pods(found) for each in pod.containers]
    for name, port in (match.groups() for text in texts for match in own.finditer(text)):
        if int(port or 80) not in services.get(name, set()):
            yield f"nobody is at {name}:{port}"
