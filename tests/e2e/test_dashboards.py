"""Every query of the dashboards returns data from a scrape of the running product, by a real Prometheus with the project's rules."""

import asyncio
import time
import urllib.request
from pathlib import Path

import pytest
from bench.realtime_client import microphone, session, spoken_questions
from bench.service import Service
from support.servers.prometheus import Prometheus, dashboard_queries, is_here, metrics_ports, prometheus

PEOPLE = 8  # twice the slots, so that somebody is refused
PATIENCE_S = 60.0
# Series of exporters that do not run on one machine without Ray; make test-cluster has HAProxy's.
ELSEWHERE = ("autoscaler_", "haproxy_", "kuberay_", "kube_", "nv_gpu_", "redis_memory_")


async def talk(product: Service) -> None:
    """One who speaks, many who type at once, one REST call."""
    async with session(product.url, product.key) as speaker, microphone(speaker) as mouth:
        for turn, question in enumerate(spoken_questions()[:2], start=1):  # twice: the first sample of a histogram has no rate
            mouth.say(question)
            await speaker.until(lambda events, turn=turn: len([each for each in events if each.type == "response.done"]) >= turn)
    async with asyncio.TaskGroup() as people:
        for _ in range(PEOPLE):
            people.create_task(ask(product))
    request = urllib.request.Request(f"{product.url}/v1/usage", headers={"Authorization": f"Bearer {product.key}"})
    with urllib.request.urlopen(request) as usage:
        assert usage.status == 200


async def ask(product: Service) -> None:
    async with session(product.url, product.key) as client:
        response, _ = await client.ask("Hello there!", max_output_tokens=24)
        await client.first("response.done", response_id=response)


def without_data(server: Prometheus, queries: dict[str, str]) -> dict[str, str]:
    return {place: query for place, query in queries.items() if not server.values(query)}


@pytest.mark.skipif(not is_here(), reason="prometheus is not here (Debian: apt install prometheus)")
def test_every_query_of_the_dashboards_returns_data(product: Service, tmp_path: Path, record_testsuite_property):
    queries = {place: query for place, query in dashboard_queries().items() if not any(name in query for name in ELSEWHERE)}
    with prometheus(metrics_ports(product.state), tmp_path) as server:
        asyncio.run(talk(product))
        until_s = time.monotonic() + PATIENCE_S
        missing = queries
        while (missing := without_data(server, missing)) and time.monotonic() < until_s:  # once is enough: rates fall to nothing afterwards
            time.sleep(1)
        foreign = {place: query for place, query in dashboard_queries().items() if place not in queries}
        for query in foreign.values():
            server.values(query)  # it parses
    record_testsuite_property("dashboard_queries", len(queries))
    record_testsuite_property("dashboard_queries_without_data", len(missing))
    assert len(queries) > 40 and missing == {}
