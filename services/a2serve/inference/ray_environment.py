"""Environment that Ray reads when it is imported: HAProxy mode, affinity by session, and where things are. Imports no Ray.

A RayService needs the same in its pods' environment; docs/cluster.md lists it.
"""

import secrets
from pathlib import Path

from a2serve.inference.ray_settings import RaySettings

SESSION_HEADER = "session-id"
PORTS = 350  # for each protocol
# HAProxy's `balance`, and more lines of the same section behind it. Calls with the same session id go to the same replica, and
# when replicas come or go only few sessions move. A call that met a dead replica is sent to another one after `timeout connect`.
_BALANCE = f"hdr({SESSION_HEADER})\n    hash-type consistent sdbm avalanche\n    timeout connect 100ms"


def ray_environment(settings: RaySettings, folder: Path) -> dict[str, str]:
    """`folder`: for HAProxy's configuration and sockets, of this application alone."""
    http, grpc = settings.replica_port, settings.replica_port + PORTS + 1
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),  # Ray listens on every address of the machine
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_BALANCE_ALGORITHM": _BALANCE,
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(folder / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(folder / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(folder / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(folder),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(folder / "server-state"),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(settings.haproxy_metrics_port),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(settings.haproxy_stats_port),
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        "RAY_SERVE_HAPROXY_HEALTH_CHECK_INTER": "1s",
        "RAY_SERVE_HAPROXY_OBSERVE_ERROR_LIMIT": "1",
        # Ray does not see that a port of gRPC is taken by another cluster: both would get a part of the calls.
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(http),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(http + PORTS),
        "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(grpc),
        "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(grpc + PORTS - 1),
        "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
        "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
    }
