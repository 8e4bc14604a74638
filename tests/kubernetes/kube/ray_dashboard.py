"""Stands in for the dashboards of all Ray heads: what KubeRay asks of a head by HTTP arrives here (its HTTP_PROXY), and goes nowhere else.

PUT /api/serve/applications/ keeps the Serve configuration of a cluster. GET says RUNNING once so many workers run as it wants
replicas at the least, else DEPLOYING. What Serve would do with the configuration is not played.
"""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from kube.api import Api

APPLICATIONS = "/api/serve/applications/"
DELAY_S = 1.0


class RayDashboard:
    """In a thread. `puts`: configurations by cluster, oldest first."""

    def __init__(self, api: Api) -> None:
        self.puts: dict[str, list[dict[str, Any]]] = {}
        self._put_s: dict[str, float] = {}
        self._ran: set[str] = set()
        self._api = api
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, name="ray dashboard", daemon=True)

    def __enter__(self) -> "RayDashboard":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, namespace: str, cluster: str, config: dict[str, Any]) -> dict[str, Any]:
        self.puts.setdefault(cluster, []).append(config)
        self._put_s[cluster] = time.monotonic()
        return {}

    def get(self, namespace: str, cluster: str) -> dict[str, Any]:
        found = self.puts.get(cluster)
        if not found:
            return {"applications": {}}
        runs = time.monotonic() - self._put_s[cluster] > DELAY_S and (
            cluster in self._ran or self._workers(namespace, cluster) >= _wanted(found[-1])
        )
        if runs:
            self._ran.add(cluster)
        return {"applications": {app["name"]: _application(app, runs) for app in found[-1]["applications"]}}

    def _workers(self, namespace: str, cluster: str) -> int:
        pods = self._api.items("pods", namespace, f"ray.io/cluster={cluster},ray.io/node-type=worker")
        return sum(pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"] for pod in pods)


def _wanted(config: dict[str, Any]) -> int:
    """Replicas at the least, of which a worker holds one."""
    return sum(
        (each.get("autoscaling_config") or {}).get("min_replicas", 1)
        for app in config["applications"]
        for each in app.get("deployments", [])
    )


def _application(app: dict[str, Any], runs: bool) -> dict[str, Any]:
    deployments = {
        each["name"]: {"name": each["name"], "status": "HEALTHY" if runs else "UPDATING", "message": ""}
        for each in app.get("deployments", [])
    }
    return {
        "name": app["name"],
        "route_prefix": app.get("route_prefix"),
        "docs_path": None,
        "status": "RUNNING" if runs else "DEPLOYING",
        "message": "",
        "last_deployed_time_s": time.time(),
        "deployments": deployments,
    }


def _handler(dashboard: RayDashboard) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if urlsplit(self.path).path.endswith("/healthz"):
                self._respond(b"success")
            else:
                self._serve(dashboard.get)

        def do_PUT(self) -> None:
            config = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._serve(lambda namespace, cluster: dashboard.put(namespace, cluster, config))

        def _serve(self, what: Callable[[str, str], dict[str, Any]]) -> None:
            """Heads are asked by name: CLUSTER-head-svc.NAMESPACE.svc…"""
            url = urlsplit(self.path)
            service, _, rest = (url.hostname or "").partition(".")
            if url.path != APPLICATIONS or not service.endswith("-head-svc"):
                self._respond(b"{}", 404)
            else:
                self._respond(json.dumps(what(rest.partition(".")[0], service.removesuffix("-head-svc"))).encode())

        def _respond(self, body: bytes, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
