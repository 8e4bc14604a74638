"""How a Triton server is started on this machine: its command line, its environment, and both as a part for the supervisor."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import a2serve
from a2serve.local.ports import HOST
from a2serve.local.probes import http_ok
from a2serve.local.process import Part
from a2serve.local.triton_install import TritonInstall, python_library

MODEL = "a2llm"
REPOSITORY = Path(a2serve.__file__).parents[1] / "triton"
LOADING_S = 600


@dataclass(frozen=True)
class TritonPorts:
    """grpc: inference. http: health, load and unload. metrics: Prometheus. All on loopback."""

    grpc: int
    http: int
    metrics: int


def triton_part(name: str, install: TritonInstall, ports: TritonPorts, settings: Mapping[str, str], repository: Path = REPOSITORY) -> Part:
    """A server with the model in it. settings: A2_INFERENCE_* of its engine (slots, threads, …). Ready when the weights are."""
    env = {**environment(), **settings}
    return Part(
        name,
        "the engine, behind Triton",
        command(install, ports, repository),
        http_ok(ports.http, f"/v2/models/{MODEL}/ready"),
        f"{HOST}:{ports.grpc}",
        env,
        ready_s=LOADING_S,
        ends_its_own=True,
    )


def command(install: TritonInstall, ports: TritonPorts, repository: Path = REPOSITORY, on_gpu: bool = False) -> tuple[str, ...]:
    """Options that are not Triton's defaults, and why, are in docs/triton.md."""
    return (
        str(install.server),
        f"--backend-directory={install.backends}",
        f"--model-repository={repository}",
        *(["--model-config-name=gpu"] if on_gpu else []),
        "--disable-auto-complete-config",
        "--model-control-mode=explicit",
        f"--load-model={MODEL}",
        "--exit-timeout-secs=5",
        f"--grpc-address={HOST}",
        f"--grpc-port={ports.grpc}",
        f"--http-address={HOST}",
        f"--http-port={ports.http}",
        f"--metrics-address={HOST}",
        f"--metrics-port={ports.metrics}",
        f"--allow-gpu-metrics={str(on_gpu).lower()}",
        f"--backend-config=python,stub-timeout-seconds={LOADING_S}",
        f"--backend-config=python,shm-region-prefix-name=a2_{ports.grpc}_",
    )


def environment() -> dict[str, str]:
    """With which the server finds this Python, and in it everything that is installed."""
    paths = {"PATH": str(Path(sys.executable).parent), "LD_LIBRARY_PATH": str(python_library())}
    return {name: os.pathsep.join(filter(None, (first, os.environ.get(name, "")))) for name, first in paths.items()}
