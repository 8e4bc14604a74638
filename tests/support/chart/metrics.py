"""Whether every metric that somebody asks for is one that somebody has: names.py, recording rules, and a short list of others' own."""

import json
import re
from collections.abc import Iterator
from typing import Any

from a2serve.telemetry import names
from support.chart.render import Rendered

OURS = {value for name, value in vars(names).items() if name.startswith("METRIC_")}
SUFFIX = re.compile(r"_(bucket|sum|count|total)$")
# Of exporters that are not ours; each is documented by its owner. Nothing else may be asked for.
OTHERS = {
    "up",  # Prometheus itself
    "nv_gpu_utilization",
    "nv_gpu_memory_used_bytes",
    "nv_gpu_memory_total_bytes",
    "nv_gpu_power_usage",  # Triton
    "nv_inference_request_failure",
    "nv_inference_pending_request_count",
    "haproxy_backend_active_servers",
    "haproxy_backend_current_sessions",
    "haproxy_backend_http_responses_total",  # HAProxy
    "ray_cluster_active_nodes",
    "ray_serve_deployment_replica_healthy",
    "ray_serve_num_ongoing_requests_at_replicas",  # Ray
    "container_cpu_usage_seconds_total",  # the kubelets
    "kube_pod_container_status_restarts_total",
    "kube_pod_init_container_status_restarts_total",
    "kube_pod_status_ready",
    "kube_node_status_allocatable",  # kube-state-metrics
    "kuberay_service_condition_ready",
    "kuberay_service_condition_upgrade_in_progress",  # KubeRay's operator
    "autoscaler_pending_nodes",
    "autoscaler_active_nodes",  # Ray's autoscaler
    "DCGM_FI_DEV_XID_ERRORS",  # NVIDIA's DCGM exporter
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",  # redis_exporter
}
WORDS = {"by", "on", "and", "or", "unless", "without", "ignoring", "group_left", "group_right", "offset", "bool", "inf", "nan"}


def metrics_problems(found: Rendered) -> list[str]:
    """Empty when all is well."""
    asked = dict(_asked(found))
    known = OURS | OTHERS | _recorded(found)
    problems = [
        f"{where} asks for {metric}"
        for where, query in asked.items()
        for metric in metrics(query)
        if metric not in known and SUFFIX.sub("", metric) not in OURS
    ]
    return problems + [f"{where} asks for nothing" for where, query in asked.items() if not metrics(query) and "vector(" not in query]


def metrics(query: str) -> set[str]:
    """Names of series in PromQL: identifiers that are no function, label, word or text."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'", "", query)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    found = re.findall(r"(?<![\w$:.])([a-zA-Z_:][\w:]*)(?!\s*\()(?![\w:])", bare)
    return {name for name in found if name.lower() not in WORDS}


def _recorded(found: Rendered) -> set[str]:
    return {
        rule["record"]
        for each in found.of("PrometheusRule")
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def _asked(found: Rendered) -> Iterator[tuple[str, str]]:
    """Query by where it stands."""
    for each in found.of("PrometheusRule"):
        for group in each["spec"]["groups"]:
            yield from (
                (f"{group['name']}/{rule.get('alert') or rule['record']}/{index}", rule["expr"])
                for index, rule in enumerate(group["rules"])
            )
    for each in found.of("ScaledObject"):
        yield from (
            (f"{each['metadata']['name']}/{trigger['name']}", trigger["metadata"]["query"])
            for trigger in each["spec"]["triggers"]
            if trigger["type"] == "prometheus"
        )
    for each in found.of("HorizontalPodAutoscaler"):
        for metric in each["spec"]["metrics"]:
            kind = metric["type"].lower()
            if kind != "resource":  # those are Kubernetes' own
                yield f"{each['metadata']['name']}/{kind}", metric[kind]["metric"]["name"]
    for each in found.of("ConfigMap"):
        for file, text in each["data"].items():
            if file.endswith(".json"):
                yield from ((f"{file}/{index}", query) for index, query in enumerate(_panels(json.loads(text))))


def _panels(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        if isinstance(tree.get("expr"), str):
            yield tree["expr"]
        for each in tree.values():
            yield from _panels(each)
    elif isinstance(tree, list):
        for each in tree:
            yield from _panels(each)
