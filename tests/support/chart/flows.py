"""Works out which connections the rendered network policies let through, as a cluster would, for every pair of pods and every port."""

import json
from typing import Any, NamedTuple

from support.chart.graph import matches
from support.chart.policy import ASKING
from support.chart.render import Object, Pod, Rendered, pods

DNS = (("TCP", 53), ("UDP", 53))
NOBODYS_PORT = 31337
ON_RAYS_STATE = ("head", "inference", "farewell")  # in Redis


class Flow(NamedTuple):
    """`port` 0: every port."""

    source: str
    target: str
    port: int


def flows(found: Rendered) -> set[Flow]:
    """Between components of the release: what both ends allow. A pod that no policy names is among them."""
    stranger = Pod("stranger", {**pods(found)[0].labels, "app.kubernetes.io/component": "stranger"}, {"containers": []}, lasting=True)
    everybody = [*pods(found), stranger]
    ports = {port["containerPort"] for pod in everybody for each in pod.containers for port in each.get("ports", [])} | {53, NOBODYS_PORT}
    passing = {
        Flow(a.component, b.component, port)
        for a in everybody
        for b in everybody
        for port in ports
        if _passes(found, "Egress", a, b, port) and _passes(found, "Ingress", b, a, port)
    }
    whole = {(flow.source, flow.target) for flow in passing if flow.port == NOBODYS_PORT}
    return {flow for flow in passing if (flow.source, flow.target) not in whole} | {Flow(*pair, 0) for pair in whole}


def _passes(found: Rendered, direction: str, pod: Pod, other: Pod, port: int) -> bool:
    policies = [each for each in found.of("NetworkPolicy") if matches(each["spec"]["podSelector"]["matchLabels"], pod.labels)]
    bound = [each for each in policies if direction in each["spec"]["policyTypes"]]
    side = "from" if direction == "Ingress" else "to"
    rules = [rule for each in bound for rule in each["spec"].get(direction.lower()) or []]
    return not bound or any(_has_port(rule, port) and _has_peer(rule, side, other) for rule in rules)


def _has_port(rule: Object, port: int) -> bool:
    return "ports" not in rule or any(each["port"] == port and each["protocol"] == "TCP" for each in rule["ports"])


def _has_peer(rule: Object, side: str, pod: Pod) -> bool:
    return side not in rule or any(_is_peer(peer, pod) for peer in rule[side])


def _is_peer(peer: Object, pod: Pod) -> bool:
    """Peers with a namespace or addresses are somebody outside."""
    return set(peer) == {"podSelector"} and matches(peer["podSelector"]["matchLabels"], pod.labels)


def outside(found: Rendered) -> set[tuple[str, str, int, str]]:
    """(component, "from" or "to", port, peers as JSON or "everywhere") of every rule whose other end is not in the release; DNS apart."""
    result: set[tuple[str, str, int, str]] = set()
    for policy in found.of("NetworkPolicy"):
        component = policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component", "")
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction) or []:
                peers = [peer for peer in rule.get(side, []) if set(peer) != {"podSelector"}]
                if (peers or side not in rule) and not _is_dns(rule):
                    shown = json.dumps(peers, sort_keys=True) if side in rule else "everywhere"
                    result |= {(component, side, port["port"], shown) for port in rule.get("ports", [{"port": 0}])}
    return result


def _is_dns(rule: Object) -> bool:
    return sorted((each["protocol"], each["port"]) for each in rule.get("ports", [])) == list(DNS)


def flow_problems(found: Rendered) -> list[str]:
    """Against the architecture's arrows, which are said here a second time."""
    if not found.values["networkPolicy"]["enabled"]:
        return []
    wanted, there = _wanted(found.values), flows(found)
    problems = [f"missing: {flow}" for flow in wanted - there] + [f"too much: {flow}" for flow in there - wanted]
    wanted_outside, there_outside = _wanted_outside(found.values), outside(found)
    problems += [f"missing outside: {each}" for each in wanted_outside - there_outside]
    problems += [f"too much outside: {each}" for each in there_outside - wanted_outside]
    lasting = {pod.component for pod in pods(found)}
    asking = {
        policy["spec"]["podSelector"]["matchLabels"].get("app.kubernetes.io/component")
        for policy in found.of("NetworkPolicy")
        if any(_is_dns(rule) and rule.get("to") == found.values["networkPolicy"]["dnsTo"] for rule in policy["spec"].get("egress") or [])
    }
    return problems + [f"{component} may not ask DNS" for component in lasting - asking]


def _wanted(values: Any) -> set[Flow]:
    ray, collector = values["inference"]["mode"] == "ray", bool(values["telemetry"]["collector"]["tracesEndpoint"])
    wanted = {Flow("gateway", "inference", 50051), Flow("test", "gateway", 8080)}
    if ray:
        wanted |= {Flow(*pair, 0) for pair in (("head", "inference"), ("inference", "head"), ("inference", "inference"))}
    if values["redis"]["inChart"]["enabled"]:
        wanted |= {Flow(component, "redis", 6379) for component in ("gateway", *(ON_RAYS_STATE if ray else ()))}
    if values["kafka"]["inChart"]["enabled"]:
        wanted |= {Flow(component, "kafka", 9092) for component in ("gateway", "recorder", "topics")}
    if collector:
        wanted |= {Flow(component, "collector", 4318) for component in ("gateway", "inference")}
    return wanted


def _wanted_outside(values: Any) -> set[tuple[str, str, int, str]]:
    policy, ray = values["networkPolicy"], values["inference"]["mode"] == "ray"
    rows: list[tuple[str, str, int]] = [
        ("gateway", "gatewayFrom", 8080),
        ("gateway", "monitoringFrom", 8080),
        ("recorder", "monitoringFrom", 9465),
    ]
    if ray:
        rows += [("inference", "monitoringFrom", port) for port in (8080, 9470, 9101, 8002)]
        rows += [
            ("head", "monitoringFrom", 8080),
            ("head", "kuberayFrom", 8265),
            *((who, "kubernetesTo", port) for who in ASKING for port in (443, 6443)),
        ]
    else:
        rows += [("inference", "monitoringFrom", 9464)]
    if not values["redis"]["inChart"]["enabled"]:
        redis = values["redis"]
        sentinels = [redis["serverPort"]] if redis["sentinel"] else []
        ports = [int(one.rpartition(":")[2]) for one in redis["address"].split(",")]
        rows += [("gateway", "redisTo", port) for port in ports + sentinels]
        rays = int((redis["rayAddress"] or redis["address"]).rpartition(":")[2])
        rows += [(component, "redisTo", rays) for component in (ON_RAYS_STATE if ray else ())]
    rows += _wanted_data(values)
    return {(component, "from" if peers.endswith("From") else "to", port, _shown(policy[peers])) for component, peers, port in rows}


def _shown(peers: list[Object]) -> str:
    return json.dumps(peers, sort_keys=True) if peers else "everywhere"


def _wanted_data(values: Any) -> list[tuple[str, str, int]]:
    rows: list[tuple[str, str, int]] = []
    kafka, telemetry = values["kafka"], values["telemetry"]
    if not kafka["inChart"]["enabled"]:
        ports = {int(server.rpartition(":")[2]) for server in kafka["servers"].split(",")}
        rows += [
            (who, "kafkaTo", port) for port in ports for who in ("gateway", "recorder", *(["topics"] if kafka["createTopics"] else []))
        ]
    elif values["recorder"]["autoscaling"]["mode"] == "keda":
        rows += [("kafka", "kedaFrom", 9092)]
    if not values["database"]["sqlite"]["enabled"]:
        reading = ["gateway"] if any(values["database"][name]["name"] for name in ("readOnlySecret", "transcriptSecret")) else []
        migrating = ["migrations"] if values["recorder"]["migrations"] else []
        rows += [(who, "databaseTo", values["database"]["port"]) for who in ("recorder", *reading, *migrating)]
    if telemetry["otlpEndpoint"]:
        port = {"https://otlp.example": 443}.get(telemetry["otlpEndpoint"]) or int(telemetry["otlpEndpoint"].rpartition(":")[2])
        rows += [(who, "tracesTo", port) for who in ("gateway", "inference")]
    elif telemetry["collector"]["tracesEndpoint"]:
        rows += [("collector", "tracesTo", 4317), ("collector", "monitoringFrom", 8888)]
    return rows
