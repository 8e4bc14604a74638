"""A real Prometheus (Debian: apt install prometheus) that scrapes the running product, and the dashboards' queries."""

import json
import math
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil
import yaml

from a2serve.local.ports import HOST, free_ports
from a2serve.local.state import State
from support.infra_files import INFRA

PARTS = ("gateway", "inference", "recorder")
START_S = 60.0


def is_here() -> bool:
    """Whether Prometheus is installed."""
    return shutil.which("prometheus") is not None


def metrics_ports(state: State) -> dict[str, int]:
    """By part of the product: the port that answers /metrics."""
    found: dict[str, int] = {}
    for part in PARTS:
        connections = psutil.Process(state.parts[part].pid).net_connections(kind="tcp")
        listening = {each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN}
        found[part] = next(port for port in sorted(listening) if _responds(port))
    return found


def _responds(port: int) -> bool:
    with suppress(OSError, HTTPException), urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as response:
        return b"a2_" in response.read()
    return False


class Prometheus:
    """The running server."""

    def __init__(self, port: int) -> None:
        self._url = f"http://{HOST}:{port}"

    def ready(self) -> bool:
        with suppress(OSError), urllib.request.urlopen(f"{self._url}/-/ready", timeout=5) as response:
            return response.status == 200
        return False

    def values(self, query: str) -> list[float]:
        """Numbers that an instant query returns. Raises HTTPError for a query that is wrong."""
        asked = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self._url}/api/v1/query?{asked}", timeout=30) as response:
            result = json.load(response)["data"]["result"]
        return [value for value in (float(each["value"][1]) for each in result) if not math.isnan(value)]


@contextmanager
def prometheus(targets: dict[str, int], folder: Path) -> Iterator[Prometheus]:
    """Scrapes every second, with labels as in a cluster. `folder`: for its data and log."""
    port = free_ports(1)[0]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(_config(targets)))
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={HOST}:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = Prometheus(port)
        until_s = time.monotonic() + START_S
        while not server.ready():
            assert process.poll() is None, (folder / "prometheus.log").read_text()
            assert time.monotonic() < until_s, "Prometheus does not become ready"
            time.sleep(0.2)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _config(targets: dict[str, int]) -> dict[str, Any]:
    rules = [str(path) for path in sorted((INFRA / "observability" / "rules").glob("*.yaml"))]
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [f"{HOST}:{port}"], "labels": {"namespace": "a2llm", "pod": f"{name}-0"}}]}
        for name, port in targets.items()
    ]
    return {"global": {"scrape_interval": "1s", "evaluation_interval": "1s"}, "rule_files": rules, "scrape_configs": jobs}


def dashboard_queries() -> dict[str, str]:
    """By "board / panel / legend": every query of infra/observability/dashboards, with its variables filled in."""
    found: dict[str, str] = {}
    for path in sorted((INFRA / "observability" / "dashboards").glob("*.json")):
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                query = target["expr"].replace("$namespace", ".*").replace("$__rate_interval", "1m").replace("$price_per_hour", "1.2")
                found[f"{path.stem} / {panel['title']} / {target['legendFormat']}"] = query
    return found
