"""Prometheus as a part, where the system has it (Debian: `apt install prometheus`): it scrapes every server that runs here."""

import json
import shutil
from collections.abc import Mapping

from a2serve.local.home import Home, private_folder
from a2serve.local.ports import HOST
from a2serve.local.probes import http_ok
from a2serve.local.process import Part

SCRAPE_S = 5


def prometheus_part(port: int, home: Home, targets: Mapping[str, int]) -> Part | None:
    """None where it is not installed. `targets`: the servers' Prometheus ports by their name."""
    binary = shutil.which("prometheus")
    if binary is None:
        return None
    folder = private_folder(home.run / "prometheus")
    config = folder / "prometheus.yml"
    config.write_text(configuration(targets))
    command = (
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=6h",
        f"--web.listen-address={HOST}:{port}",
        "--log.level=warn",
    )
    return Part("prometheus", "metrics of all of them", command, http_ok(port, "/-/ready"), f"{HOST}:{port}")


def configuration(targets: Mapping[str, int]) -> str:
    """One job per server. JSON is YAML."""
    jobs = [{"job_name": name, "static_configs": [{"targets": [f"{HOST}:{port}"]}]} for name, port in targets.items()]
    return json.dumps({"global": {"scrape_interval": f"{SCRAPE_S}s"}, "scrape_configs": jobs}, indent=1)
