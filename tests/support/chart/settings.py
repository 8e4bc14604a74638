"""The chart against the programs: variables both ways, their values, ports, commands, files in the images. Ray: support.chart.ray."""

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from a2serve.gateway.settings import GatewaySettings
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.recorder.settings import RecorderSettings
from support.chart.render import ROOT, Object, Pod, Rendered, environment, pods

# Of ray_program alone, which is a whole Ray cluster as one process: on Kubernetes KubeRay starts Ray, with flags and ports of its own.
OF_RAY_PROGRAM = {"http_port", "haproxy_metrics_port", "haproxy_stats_port", "ray_metrics_port", "ray_cpus", "ray_folder", "replica_port"}
# Said to Ray Serve in its configuration, where they can be changed without a new cluster.
IN_SERVE_CONFIG = {"replicas_min", "replicas_max", "slots_share", "frl_limit_ms", "scale_look_back_s", "scale_up_s", "scale_down_s"}
# Ray has its own port, and its replicas theirs.
OF_STANDALONE = {"port", "metrics_port"}
SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (GatewaySettings,),
    "recorder": (RecorderSettings,),
    "migrations": (RecorderSettings,),
    "topics": (RecorderSettings,),
    "inference": (InferenceSettings,),
    "triton": (InferenceSettings,),
    "ray-head": (InferenceSettings, RaySettings),
    "ray-worker": (InferenceSettings, RaySettings),
}
PREFIX = {"gateway": "A2_GATEWAY_", "recorder": "A2_RECORDER_", "migrations": "A2_RECORDER_", "topics": "A2_RECORDER_"}


def settings_problems(found: Rendered) -> list[str]:
    """Empty when all is well."""
    problems: list[str] = []
    for pod in pods(found):
        for container in pod.containers:
            problems += [f"{pod.owner}/{container['name']}: {each}" for each in _container(container, pod)]
    return problems + list(_serving(found)) + list(_collector(found))


def variable(name: str, container: str) -> str:
    """The environment variable of a setting."""
    return "A2_TENANTS_FILE" if name == "tenants_file" else PREFIX.get(container, "A2_INFERENCE_") + name.upper()


def _container(container: Object, pod: Pod) -> Iterator[str]:
    name, env = container["name"], environment(container)
    known = {variable(field, name): field for each in SETTINGS.get(name, ()) for field in each.model_fields}
    yield from (f"{each} is no setting" for each in env if each.startswith("A2_") and each not in known)
    if name in SETTINGS and (problem := _invalid(name, env)) is not None:
        yield problem
    yield from _ports(container, env)
    yield from _command(container)
    yield from (f"{path} is not in the image" for path in _files(name, env, container) if not _in_image(path, container["image"]))


def _invalid(name: str, env: dict[str, Any]) -> str | None:
    """Whether the program would refuse them."""
    plain = {key: value if isinstance(value, str) else "sqlite://" for key, value in env.items()}
    try:
        with patch.dict(os.environ, plain, clear=True):
            for each in SETTINGS[name]:
                each()
    except ValidationError as error:
        return str(error)
    return None


def unset(container: Object) -> set[str]:
    """Settings that the chart does not give to a container."""
    name, env = container["name"], environment(container)
    return {field for each in SETTINGS[name] for field in each.model_fields if variable(field, name) not in env}


def _ports(container: Object, env: dict[str, Any]) -> Iterator[str]:
    """Compares declared ports with the program's own."""
    declared = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    flags = dict(arg.removeprefix("--").split("=", 1) for arg in container.get("args", []) if arg.startswith("--") and "=" in arg)
    configured = {
        "gateway": {"http": env.get("A2_GATEWAY_PORT")},
        "recorder": {"metrics": env.get("A2_RECORDER_METRICS_PORT")},
        "inference": {"grpc": env.get("A2_INFERENCE_PORT"), "metrics": env.get("A2_INFERENCE_METRICS_PORT")},
        "triton": {"triton-http": flags.get("http-port"), "triton-metrics": flags.get("metrics-port")},
        "ray-worker": {
            "replica-metrics": env.get("A2_INFERENCE_REPLICA_METRICS_PORT"),
            "serve": "8000",
            "metrics": "8080",
            "haproxy-metrics": env.get("RAY_SERVE_HAPROXY_METRICS_PORT"),
        },
        "ray-head": {"dashboard": "8265", "gcs-server": "6379", "metrics": "8080"},
        "collector": {"otlp-http": "4318", "health": "13133", "metrics": "8888"},
    }.get(container["name"], {})
    yield from (
        f"port {name} is {declared.get(name)}, the program's {port}" for name, port in configured.items() if str(declared.get(name)) != port
    )
    addresses = [value for key, value in env.items() if key.endswith("_HOST") and key.startswith("A2_")]
    yield from (f"listens on {value}: nobody could reach it" for value in addresses if value != "0.0.0.0")


def _command(container: Object) -> Iterator[str]:
    command = container.get("command", [])
    if command[:2] == ["python", "-m"]:
        spec = find_spec(command[2])
        if spec is None or (spec.submodule_search_locations is not None and find_spec(f"{command[2]}.__main__") is None):
            yield f"no program {command[2]}"
        yield from (
            f"{command[2]} knows no {word}"
            for word in command[3:]
            if word.startswith("--") and f'"{word.partition("=")[0]}"' not in source(command[2])
        )
    wanted = {
        "gateway": "a2serve.gateway",
        "inference": "a2serve.inference",
        "recorder": "a2serve.recorder",
        "migrations": "a2serve.recorder.migrate",
        "topics": "a2serve.recorder.topics",
    }.get(container["name"])
    if wanted and command[2:3] != [wanted]:
        yield f"runs {command}"


def source(module: str) -> str:
    """A module's text; of a program's package, that of its command line."""
    folder = ROOT / "services" / Path(*module.split("."))
    return (folder / "program.py").read_text() if folder.is_dir() else folder.with_suffix(".py").read_text()


def _files(name: str, env: dict[str, Any], container: Object) -> list[str]:
    """Paths that the image must have: those that no volume brings."""
    paths = [env[key] for key in ("A2_GATEWAY_WEB_FOLDER", "A2_GATEWAY_AVATARS_FOLDER") if key in env]
    if name == "triton":
        paths += [
            container["command"][0].rpartition("/bin/")[0],
            *(arg.partition("=")[2] for arg in container["args"] if "-repository=" in arg),
        ]
    return paths + [word for word in container.get("command", []) if name == "topics" and word.startswith("/")]


def _in_image(path: str, image: str) -> bool:
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return re.search(rf"(?m)[ =]{re.escape(path)}(?=[\s/]|$)", (ROOT / "infra" / "docker" / f"{name}.Dockerfile").read_text()) is not None


def _serving(found: Rendered) -> Iterator[str]:
    """The gateways ask the active version, the way its host wants to be asked."""
    gateway = environment(found.one("Deployment", "gateway")["spec"]["template"]["spec"]["containers"][0])
    inference = found.values["inference"]
    if gateway["A2_GATEWAY_INFERENCE"] != f"{found.fullname}-inference-{inference['active']}:50051":
        yield f"gateways ask {gateway['A2_GATEWAY_INFERENCE']}"
    canary = inference["canary"]["version"]
    if gateway.get("A2_GATEWAY_CANARY") != (f"{found.fullname}-inference-{canary}:50051" if canary else None):
        yield f"gateways ask {gateway.get('A2_GATEWAY_CANARY')} as a canary"
    wanted = inference["ray"]["application"] if inference["mode"] == "ray" else None
    if gateway.get("A2_GATEWAY_INFERENCE_APPLICATION") != wanted:
        yield f"gateways ask for application {gateway.get('A2_GATEWAY_INFERENCE_APPLICATION')}"


def _collector(found: Rendered) -> Iterator[str]:
    """Its configuration reads what it is given, and listens where it is asked."""
    for pod in (each for each in pods(found) if each.component == "collector"):
        config = found.one("ConfigMap", "collector")["data"]["collector.yaml"]
        read, given = set(re.findall(r"\$\{env:([A-Z_]+)", config)), set(environment(pod.spec["containers"][0]))
        if read != given:
            yield f"the collector reads {read}, gets {given}"
        parsed = yaml.safe_load(config)
        listens = {parsed["receivers"]["otlp"]["protocols"]["http"]["endpoint"], parsed["extensions"]["health_check"]["endpoint"]}
        if listens != {"0.0.0.0:4318", "0.0.0.0:13133"}:
            yield f"the collector listens at {listens}"
