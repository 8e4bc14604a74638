"""Writes dashboards/*.json, plain Grafana dashboards, from what is said here once: `python infra/observability/dashboards.py`.

Queries name only metrics of services/a2serve/telemetry/names.py, so they hold in compose, in the chart and wherever else Prometheus is.
"""

import json
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dashboards"
NS = '{namespace=~"$namespace"}'
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}  # chosen on the dashboard: its uid differs from place to place


@dataclass(frozen=True)
class Panel:
    """A graph, or a number where `stat`. `queries`: PromQL by legend; NS stands for the dashboard's namespace."""

    title: str
    unit: str
    queries: dict[str, str]
    says: str = ""
    stat: bool = False


def quantile(q: float, metric: str, labels: str = NS, by: str = "") -> str:
    return f"histogram_quantile({q}, sum by ({by}{', ' if by else ''}le) (rate({metric}_bucket{labels}[$__rate_interval])))"


def mean(metric: str, by: str) -> str:
    return f"{rate(metric + '_sum', by)} / {rate(metric + '_count', by)}"


def rate(metric: str, by: str = "", labels: str = NS) -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({metric}{labels}[$__rate_interval]))"


def among(**labels: str) -> str:
    """A selector inside the namespace."""
    return "{" + ", ".join(['namespace=~"$namespace"', *(f'{name}="{value}"' for name, value in labels.items())]) + "}"


FRL, AUDIO, SLOTS = "a2_gateway_first_packet_seconds", "a2_inference_audio_seconds_total", "a2_inference_slots"
BATCH, PHASE, LAG = "a2_inference_batch_responses", "a2_gateway_phase_seconds", "a2_gateway_loop_lag_seconds"
ENGINES = f"count({SLOTS}{among(state='free')})"
SPEAKING = f"sum({SLOTS}{among(state='speaking')})"

SERVICE = [
    Panel("Open sockets", "short", {"sessions": f"sum(a2_gateway_sessions{NS})"}, stat=True),
    Panel("FRL p95", "s", {"p95": f"max(a2:first_packet_seconds:p95_5m{NS})"}, "From the turn's end; objective 0.75 s", stat=True),
    Panel("Refused", "percentunit", {"share": f"max(a2:slo_bad:ratio5m{among(slo='refusals')})"}, "Objective 0.5%", stat=True),
    Panel("Ran dry", "percentunit", {"share": f"max(a2:slo_bad:ratio5m{among(slo='underruns')})"}, "Objective 0.5%", stat=True),
    Panel(
        "Burn rate over an hour",
        "short",
        {"{{slo}}": f"a2:slo_bad:ratio1h{NS} / on (slo) group_left () a2:slo_budget:ratio"},
        "1 spends the month's budget in a month; 14.4 pages",
    ),
    Panel("First packet", "s", {"p50": quantile(0.5, FRL), "p95": quantile(0.95, FRL), "p99": quantile(0.99, FRL)}),
    Panel(
        "First packet by phase, mean",
        "s",
        {"{{phase}}": mean(PHASE, "phase")},
        "endpointing comes before the turn's end; the others sum up to the first packet: transcription, then the engine's admission, "
        "prefill, first token, first audio, then delivery",
    ),
    Panel("First packet by phase, p95", "s", {"{{phase}}": quantile(0.95, PHASE, by="phase")}),
    Panel(
        "First packet by the model's version, p95",
        "s",
        {"{{version}}": quantile(0.95, FRL, by="version")},
        "Beside each other while two are loaded",
    ),
    Panel("First packet by gateway, p95", "s", {"{{pod}}": quantile(0.95, FRL, by="pod")}),
    Panel("Answers by how they ended", "reqps", {"{{status}} {{code}}": rate("a2_gateway_responses_total", "status, code")}),
    Panel(
        "REST by route",
        "s",
        {"{{route}}": f"histogram_quantile(0.95, sum by (route, le) (rate(a2_gateway_request_seconds_bucket{NS}[$__rate_interval])))"},
        "p95, whole answer",
    ),
    Panel("REST by status", "reqps", {"{{status}}": rate("a2_gateway_requests_total", "status")}),
    Panel(
        "Event loop's lag",
        "s",
        {"p99 {{pod}}": quantile(0.99, LAG, by="pod")},
        "Above 20 ms a gateway has too little CPU or too many sockets",
    ),
    Panel("Sockets by gateway", "short", {"{{pod}}": f"sum by (pod) (a2_gateway_sessions{NS})"}),
    Panel(
        "What gateways reach",
        "short",
        {"{{dependency}}": f"min by (dependency) (a2_gateway_dependency_up{NS})"},
        "1: every gateway reaches it",
    ),
    Panel(
        "Records on their way",
        "short",
        {"outbox": f"max(a2_gateway_outbox_records{NS})", "lag {{topic}}": f"sum by (topic) (a2_recorder_lag_records{NS})"},
        "Waiting in Redis; behind in Kafka",
    ),
    Panel("Waiting on gateways' disks", "bytes", {"spool": f"sum(a2_gateway_spool_bytes{NS})"}, "What Redis does not take"),
    Panel("Lost with a full spool", "short", {"dropped": f"sum(a2_gateway_spool_dropped{NS})"}, "Since the gateways started"),
    Panel("Transcripts deleted, their days being over", "reqps", {"lapsed": rate("a2_recorder_lapsed_transcripts_total")}),
    Panel("Records taken", "reqps", {"{{topic}} {{outcome}}": rate("a2_recorder_records_total", "topic, outcome")}),
]

MODEL = [
    Panel(
        "Engine step",
        "s",
        {"p50": quantile(0.5, "a2_inference_step_seconds"), "p95": quantile(0.95, "a2_inference_step_seconds")},
        "A frame of sound is 50 ms: below it, everybody is in time",
    ),
    Panel("Answers in a step", "short", {"mean": f"{rate(BATCH + '_sum')} / {rate(BATCH + '_count')}", "p95": quantile(0.95, BATCH)}),
    Panel(
        "First sound, engine alone",
        "s",
        {"p50": quantile(0.5, "a2_inference_first_audio_seconds"), "p95": quantile(0.95, "a2_inference_first_audio_seconds")},
    ),
    Panel(
        "Transcription a turn waits for",
        "s",
        {
            "p50": quantile(0.5, "a2_inference_listen_seconds", among(final="true")),
            "p95": quantile(0.95, "a2_inference_listen_seconds", among(final="true")),
        },
    ),
    Panel(
        "Ears",
        "short",
        {
            "busy": f"sum(rate(a2_inference_ear_busy_seconds_total{NS}[$__rate_interval]))",
            "there are": f"sum(a2_inference_ear_workers{NS})",
            "waiting": f"sum(a2_inference_ears_waiting_calls{NS})",
        },
        "Waiting while all are busy: more ears or replicas",
    ),
    Panel(
        "What computes", "short", {"{{kind}} {{device}}": f"count by (kind, device) (a2_inference_device_info{NS})"}, "Replicas by device"
    ),
    Panel("First sound by replica, p95", "s", {"{{pod}}": quantile(0.95, "a2_inference_first_audio_seconds", by="pod")}),
    Panel("Speech made", "short", {"seconds per second": rate(AUDIO)}, "How many speak in real time"),
    Panel("Tokens", "short", {"{{kind}}": rate("a2_inference_tokens_total", "kind")}, "cached: not computed again, thanks to affinity"),
    Panel("KV cache", "bytes", {"bytes": f"sum(a2_inference_kv_bytes{NS})"}),
    Panel("KV cache, tokens of the fullest engine", "short", {"tokens": f"max(a2_inference_kv_tokens{NS})"}),
    Panel("Waiting commands", "short", {"most": f"max(a2_inference_queue_commands{NS})"}, "Above a few: the engine's thread is late"),
    Panel("Answers ended", "reqps", {"{{reason}}": rate("a2_inference_responses_total", "reason")}),
    Panel("Versions", "short", {"version {{version}}": f"sum by (version) ({SLOTS}{NS})"}, "Slots by model version, while two are loaded"),
]

CAPACITY = [
    Panel("Engines", "short", {"engines": ENGINES}, stat=True),
    Panel("Slots in use", "percentunit", {"share": f"max(a2:slots_speaking:ratio{NS})"}, "Above the policy's share, more come", stat=True),
    Panel("Sessions per engine", "short", {"sessions": f"sum(a2_gateway_sessions{NS}) / {ENGINES}"}, stat=True),
    Panel(
        "Cost per 1,000 minutes of speech",
        "currencyUSD",
        {"USD": f"1000 * {ENGINES} * $price_per_hour / (60 * {rate(AUDIO)})"},
        "Engines x price / minutes made in an hour",
        stat=True,
    ),
    Panel("Slots by state", "short", {"{{state}}": f"sum by (state) ({SLOTS}{NS})"}, "resting: silent sessions that keep their KV cache"),
    Panel("Sessions and those that speak", "short", {"sessions": f"sum(a2_gateway_sessions{NS})", "speaking": SPEAKING}),
    Panel(
        "Refused by engines",
        "reqps",
        {"{{reason}}": rate("a2_inference_refused_total", "reason")},
        "The gateway then asks another replica: users see less of it",
    ),
    Panel("Speech per engine", "short", {"seconds per second": f"{rate(AUDIO)} / {ENGINES}"}, "Against docs/capacity.md"),
]


def gauge(metric: str, by: str, how: str = "sum") -> str:
    return f"{how} by ({by}) ({metric}{NS})"


CLUSTER = [
    Panel(
        "Nodes of Ray",
        "short",
        {
            "{{NodeType}}": gauge("autoscaler_active_nodes", "NodeType"),
            "{{NodeType}} pending": gauge("autoscaler_pending_nodes", "NodeType"),
        },
        "Ray's autoscaler, port 44217 of the head",
    ),
    Panel("Ready replicas behind HAProxy", "short", {"{{proxy}}": gauge("haproxy_backend_active_servers", "proxy", "max")}),
    Panel("Requests in HAProxy", "short", {"{{proxy}}": gauge("haproxy_backend_current_sessions", "proxy")}),
    Panel(
        "RayServices that are ready",
        "short",
        {"{{name}}": f"max by (name) (kuberay_service_condition_ready{among(condition='true')})"},
        "KubeRay's operator",
    ),
    Panel(
        "Restarts of Triton",
        "short",
        {"{{pod}}": f"sum by (pod) (increase(kube_pod_init_container_status_restarts_total{among(container='triton')}[1h]))"},
        "In an hour; kube-state-metrics counts sidecars among init containers",
    ),
    Panel("GPUs, busy", "percentunit", {"{{pod}} {{gpu_uuid}}": f"nv_gpu_utilization{NS}"}, "Triton's own metrics"),
    Panel("GPUs, memory in use", "percentunit", {"{{pod}} {{gpu_uuid}}": f"nv_gpu_memory_used_bytes{NS} / nv_gpu_memory_total_bytes{NS}"}),
    Panel(
        "Redis, memory in use",
        "percentunit",
        {"{{namespace}}": f"redis_memory_used_bytes{NS} / (redis_memory_max_bytes{NS} > 0)"},
        "redis_exporter",
    ),
]


def dashboard(uid: str, title: str, panels: list[Panel]) -> dict[str, Any]:
    """Numbers in a row of their own, then graphs, two in a row."""
    return {
        "uid": uid,
        "title": title,
        "tags": ["a2llm"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "timezone": "browser",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": _variables(panels)},
        "panels": _placed(panels),
        "links": [{"title": "A2-LLM", "type": "dashboards", "tags": ["a2llm"], "includeVars": True, "keepTime": True}],
    }


def _variables(panels: list[Panel]) -> list[dict[str, Any]]:
    datasource = {"name": "datasource", "type": "datasource", "query": "prometheus", "refresh": 1}
    namespace = {
        "name": "namespace",
        "type": "query",
        "datasource": PROMETHEUS,
        "includeAll": True,
        "allValue": ".*",
        "refresh": 2,
        "query": "label_values(a2_gateway_sessions, namespace)",
        "current": {"text": "All", "value": "$__all"},
    }
    price = {"name": "price_per_hour", "label": "USD per engine and hour", "type": "textbox", "query": "1.20"}
    price["current"] = {"text": price["query"], "value": price["query"]}  # type: ignore[assignment]
    asked = any("$price_per_hour" in query for panel in panels for query in panel.queries.values())
    return [datasource, namespace, price] if asked else [datasource, namespace]


def _placed(panels: list[Panel]) -> list[dict[str, Any]]:
    numbers, graphs = [p for p in panels if p.stat], [p for p in panels if not p.stat]
    ids, top = count(1), 4 if numbers else 0
    stats = [_drawn(panel, next(ids), "stat", (6 * i, 0, 6, 4)) for i, panel in enumerate(numbers)]
    return stats + [_drawn(panel, next(ids), "timeseries", (12 * (i % 2), top + 8 * (i // 2), 12, 8)) for i, panel in enumerate(graphs)]


def _drawn(panel: Panel, number: int, kind: str, place: tuple[int, int, int, int]) -> dict[str, Any]:
    targets = [{"refId": chr(65 + i), "expr": query, "legendFormat": legend} for i, (legend, query) in enumerate(panel.queries.items())]
    return {
        "id": number,
        "type": kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": PROMETHEUS,
        "gridPos": dict(zip("xywh", place, strict=True)),
        "targets": targets,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
    }


DASHBOARDS = {
    "service": dashboard("a2-service", "A2-LLM: the service", SERVICE),
    "model": dashboard("a2-model", "A2-LLM: model and engine", MODEL),
    "capacity": dashboard("a2-capacity", "A2-LLM: capacity and cost", CAPACITY),
    "cluster": dashboard("a2-cluster", "A2-LLM: what it stands on", CLUSTER),
}


def text(name: str) -> str:
    """Returns a dashboard's file content."""
    return json.dumps(DASHBOARDS[name], indent=1) + "\n"


if __name__ == "__main__":
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name))
