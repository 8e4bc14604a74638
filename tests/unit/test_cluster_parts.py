"""Profile `cluster`: its settings are settings of the services, its parts fit together, Prometheus scrapes them all."""

import json
import socket
from dataclasses import astuple
from pathlib import Path

import pytest

from a2serve.inference.ray_environment import ray_environment
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings
from a2serve.local import cluster, prometheus
from a2serve.local.cluster import REPLICA_PORTS, choose_cluster_ports, cluster_parts
from a2serve.local.home import Home
from a2serve.local.parts import choose_ports
from a2serve.local.ports import free_block
from a2serve.local.process import Part
from a2serve.local.triton_install import TritonInstall


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    monkeypatch.setattr(prometheus.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(cluster, "find_spec", lambda name: name)
    home = Home(tmp_path / "run", tmp_path / "data", tmp_path / "tenants.toml")
    return {part.name: part for part in cluster_parts(choose_ports(0), choose_cluster_ports(), home, TritonInstall(tmp_path))}


def test_the_model_runs_behind_ray_and_triton(made: dict[str, Part]) -> None:
    assert list(made) == ["valkey", "broker", "traces", "recorder", "triton-0", "triton-1", "ray", "prometheus", "gateway"]
    assert made["gateway"].env["A2_GATEWAY_INFERENCE"] == made["ray"].address
    assert made["gateway"].env["A2_GATEWAY_INFERENCE_APPLICATION"] == made["ray"].env["A2_INFERENCE_APPLICATION"]
    assert made["ray"].env["A2_INFERENCE_TRITON_URLS"] == f"{made['triton-0'].address},{made['triton-1'].address}"
    assert made["ray"].ends_its_own


def test_every_variable_of_ray_is_a_setting(made: dict[str, Part], monkeypatch: pytest.MonkeyPatch) -> None:
    env = made["ray"].env
    fields = {f"A2_INFERENCE_{name.upper()}" for name in InferenceSettings.model_fields | RaySettings.model_fields}
    assert set(env) <= fields
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    settings, ray_settings = InferenceSettings(), RaySettings()
    assert f"{settings.host}:{settings.port}" == made["ray"].address
    assert (ray_settings.places, ray_settings.replicas_min) == (2, 2)


def test_ports_differ() -> None:
    ports = choose_cluster_ports()
    *plain, replica_metrics, replica_calls, tritons = astuple(ports)
    numbers = [*plain, replica_metrics, replica_metrics + 1, *(port for triton in tritons for port in triton)]
    assert len(set(numbers)) == len(numbers) == 13
    assert not any(replica_calls <= number < replica_calls + REPLICA_PORTS for number in numbers)


def test_clusters_of_one_machine_share_no_port(tmp_path: Path) -> None:
    """Two gRPC servers that listen on the same port would both get calls."""
    environment = ray_environment(RaySettings(replica_port=12_000), tmp_path)
    first, *between, last = (
        int(environment[f"RAY_SERVE_DIRECT_INGRESS_{bound}_PORT"]) for bound in ("MIN_HTTP", "MAX_HTTP", "MIN_GRPC", "MAX_GRPC")
    )
    assert first == 12_000 and between[0] + 1 == between[1] and last - first + 1 == REPLICA_PORTS
    with socket.create_server(("127.0.0.1", free_block(REPLICA_PORTS) + 2)) as taken:
        assert not any(0 <= taken.getsockname()[1] - free_block(REPLICA_PORTS) < REPLICA_PORTS for _ in range(20))


def test_prometheus_scrapes_every_server(made: dict[str, Part]) -> None:
    file = next(word.removeprefix("--config.file=") for word in made["prometheus"].command if "config.file" in word)
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in json.loads(Path(file).read_text())["scrape_configs"]}
    assert set(jobs) == {"gateway", "recorder", "haproxy", "ray", "replica-0", "replica-1", "triton-0", "triton-1"}
    assert jobs["gateway"] == [made["gateway"].address]
    shown = json.loads(made["traces"].command[-1])
    assert set(shown) == set(jobs)
    assert shown["ray"] == f"http://{jobs['ray'][0]}/metrics"


def test_without_prometheus_there_is_none(made: dict[str, Part], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(prometheus.shutil, "which", lambda name: None)
    assert prometheus.prometheus_part(1, Home(tmp_path, tmp_path, tmp_path), {}) is None


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    home = Home(tmp_path, tmp_path, tmp_path)
    with pytest.raises(ModuleNotFoundError, match="cluster"):
        cluster_parts(choose_ports(0), choose_cluster_ports(), home, TritonInstall(tmp_path))


def test_calls_of_a_session_go_to_one_replica(tmp_path: Path) -> None:
    environment = ray_environment(RaySettings(), tmp_path)
    assert environment["RAY_SERVE_HAPROXY_BALANCE_ALGORITHM"].splitlines()[:2] == [
        "hdr(session-id)",
        "    hash-type consistent sdbm avalanche",
    ]
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "1"
