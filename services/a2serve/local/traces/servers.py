"""Reads a few numbers from the Prometheus pages of this machine's servers, for /debug."""

import asyncio
from collections.abc import Mapping
from typing import TypedDict

import httpx
from prometheus_client.parser import text_string_to_metric_families

from a2serve.telemetry import names

TIMEOUT_S = 2.0
# (what it is called on the page, series, labels it must have). Values of all matching series are added up.
_Number = tuple[str, str, Mapping[str, str]]
_SLOTS, _SPEAKING = names.METRIC_INFERENCE_SLOTS, {names.LABEL_STATE: "speaking"}
NUMBERS: tuple[_Number, ...] = (
    ("sessions", names.METRIC_GATEWAY_SESSIONS, {}),
    ("records stored", f"{names.METRIC_RECORDER_RECORDS}_total", {names.LABEL_OUTCOME: "stored"}),
    ("slots", _SLOTS, {}),
    ("speaking", _SLOTS, _SPEAKING),
    ("responses", f"{names.METRIC_INFERENCE_RESPONSES}_total", {}),
    ("refused", f"{names.METRIC_INFERENCE_REFUSED}_total", {}),
    ("engine steps", f"{names.METRIC_INFERENCE_STEP_SECONDS}_count", {}),
    ("inferences", "nv_inference_request_success", {}),
    ("pending", "nv_inference_pending_request_count", {}),
    ("replicas", "ray_serve_deployment_replica_healthy", {"deployment": "Avatar"}),
    ("calls", "ray_serve_num_grpc_requests_total", {}),
    ("calls that failed", "ray_serve_num_grpc_error_requests_total", {}),
    ("replicas up", "haproxy_backend_active_servers", {"proxy": "grpc-avatar"}),
    ("calls now", "haproxy_backend_current_sessions", {"proxy": "grpc-avatar"}),
    ("calls", "haproxy_backend_sessions_total", {"proxy": "grpc-avatar"}),
)


class Server(TypedDict):
    """`problem` is empty when it answered."""

    name: str
    url: str
    numbers: dict[str, float]
    problem: str


async def ask_servers(pages: Mapping[str, str]) -> list[Server]:
    """All at the same time. `pages`: their metrics by name."""
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        return await asyncio.gather(*(_ask(client, name, url) for name, url in pages.items()))


async def _ask(client: httpx.AsyncClient, name: str, url: str) -> Server:
    try:
        response = (await client.get(url)).raise_for_status()
        return Server(name=name, url=url, numbers=read_numbers(response.text), problem="")
    except (httpx.HTTPError, ValueError) as error:
        return Server(name=name, url=url, numbers={}, problem=type(error).__name__)


def read_numbers(page: str) -> dict[str, float]:
    """Reads NUMBERS from a page in Prometheus' text format, in their order; those that it lacks are left out. Raises ValueError."""
    wanted = {series for _, series, _ in NUMBERS}
    lines = [line for line in page.splitlines() if line.startswith(tuple(wanted))]
    samples = [sample for family in text_string_to_metric_families("\n".join(lines)) for sample in family.samples]
    found: dict[str, float] = {}
    for title, series, labels in NUMBERS:
        values = [s.value for s in samples if s.name == series and labels.items() <= s.labels.items()]
        if values:
            found[title] = sum(values)
    return found
