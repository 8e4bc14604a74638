"""docker-compose.yml: by the Compose Specification's schema, and by what it names: services, ports, volumes, programs, settings."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.infra_files import IMAGES, ROOT, load, variables

FILE = load("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = FILE["services"]
OURS = {name: re.match(r"a2llm/(\w+):", service["image"]) for name, service in SERVICES.items()}
OWN = {name: match[1] for name, match in OURS.items() if match}
EXPOSED = {
    "redis": {6379},
    "kafka": {9092},
    "postgres": {5432},
    "collector": {4317, 4318, 8888},
    "tempo": {4317, 3200},
    "prometheus": {9090},
    "grafana": {3000},
}
# What has nothing inside that could ask (from scratch), and what only runs once.
WITHOUT_HEALTH = {"collector", "tempo", "kafka-topics", "migrations", "keys"}


def environment(name: str) -> dict[str, str]:
    return SERVICES[name].get("environment", {})


def ports_of(name: str) -> set[int]:
    """On which a service listens: of our images what the Dockerfile exposes, for Ray what its settings say too."""
    if name not in OWN:
        return EXPOSED[name]
    dockerfile = (ROOT / "infra" / "docker" / f"{OWN[name]}.Dockerfile").read_text()
    exposed = {int(port) for line in re.findall(r"^EXPOSE (.+)$", dockerfile, re.M) for port in line.split()}
    return exposed | ({9101, 8090} if name == "ray" else set())


def known_hosts() -> dict[str, str]:
    """Service by the names under which it is found."""
    hosts = {name: name for name in SERVICES}
    for name, service in SERVICES.items():
        networks = service.get("networks", {})
        hosts |= {alias: name for network in networks.values() for alias in network.get("aliases", []) if alias not in SERVICES}
    return hosts


def test_it_keeps_to_the_specification():
    schema = json.loads((Path(__file__).parent / "schemas" / "compose-spec.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(FILE)] == []
    broken = json.loads(json.dumps(FILE))
    broken["services"]["redis"]["healthchek"] = {}
    assert not validator.is_valid(broken)


@pytest.mark.parametrize("name", SERVICES)
def test_who_is_waited_for_is_there_and_can_say_that_it_is_ready(name: str):
    for other, how in SERVICES[name].get("depends_on", {}).items():
        needed = SERVICES[other]
        assert how["condition"] == {"kafka-topics": "service_completed_successfully", "migrations": "service_completed_successfully"}.get(
            other, "service_started" if other in WITHOUT_HEALTH else "service_healthy"
        )
        assert how.get("required", True) == (set(needed.get("profiles", [])) <= set(SERVICES[name].get("profiles", [])))
        assert how["condition"] != "service_healthy" or "healthcheck" in needed or other in OWN  # ours have one in the Dockerfile


@pytest.mark.parametrize("name", SERVICES)
def test_addresses_lead_to_a_service_that_listens_there(name: str):
    hosts = known_hosts()
    texts = [text for key, text in environment(name).items() if not key.startswith(("KAFKA_", "GF_"))]
    for text in texts:
        for host, port in re.findall(r"(?:^|//|@|,)([a-z][a-z0-9-]*):(\d+)", text):
            assert int(port) in ports_of(hosts[host]), f"{name}: {text}"
    assert all(host in hosts for text in texts for host in re.findall(r"@([a-z][a-z0-9-]*)/", text))


@pytest.mark.parametrize("name", sorted(OWN))
def test_settings_exist(name: str):
    assert OWN[name] in IMAGES
    assert {key for key in environment(name) if key.startswith("A2_")} <= variables(OWN[name])


@pytest.mark.parametrize("name", SERVICES)
def test_mounts_are_there_and_nothing_moves(name: str):
    service = SERVICES[name]
    for mount in service.get("volumes", []):
        source = mount.split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in FILE["volumes"]
    assert re.search(r":(v?\d+\.\d+[\w.-]*|\$\{A2_VERSION:-[\d.]+\}(-cuda)?)$", service["image"])
    if "build" in service:
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", sorted(set(SERVICES) - WITHOUT_HEALTH))
def test_it_says_whether_it_is_well(name: str):
    check = SERVICES[name].get("healthcheck", {}).get("test")
    if check is None:
        assert name in OWN
    else:
        assert check[0] == "CMD" and (check[1] == "python" if name in OWN else check[1] in PROGRAMS[name])


PROGRAMS = {
    "redis": {"valkey-cli"},
    "kafka": {"/opt/kafka/bin/kafka-broker-api-versions.sh"},
    "postgres": {"pg_isready"},
    "prometheus": {"wget"},
    "grafana": {"wget"},
}


@pytest.mark.parametrize("name", sorted(OWN))
def test_ours_write_nothing_and_may_do_nothing(name: str):
    service = SERVICES[name]
    assert service["read_only"] and service["cap_drop"] == ["ALL"] and "no-new-privileges:true" in service["security_opt"]


def test_profiles_differ_only_in_the_engine():
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "triton": ["cpu"],
        "triton-gpu": ["gpu"],
        "keys": ["tools"],
    }
    assert known_hosts()["triton"] == "triton" and SERVICES["triton-gpu"]["networks"]["default"]["aliases"] == ["triton"]
    assert environment("triton") == environment("triton-gpu")


def test_what_is_asked_from_outside_is_in_the_example():
    text = (ROOT / "docker-compose.yml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text)) | {"COMPOSE_PROFILES"}
    example = dict(line.split("=", 1) for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#"))
    assert asked == set(example)
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]+)\}", text))
    assert {name: example[name] for name in defaults} == defaults


def test_the_bridge_is_the_one_that_counts_as_this_machine():
    (network,) = FILE["networks"]["default"]["ipam"]["config"]
    assert json.loads(environment("gateway")["A2_GATEWAY_LOCAL_NETWORKS"]) == [f"{network['gateway']}/32"]


def test_prometheus_asks_services_where_they_listen():
    hosts = known_hosts()
    for job in load("infra/observability/prometheus.yml")["scrape_configs"]:
        for target in job["static_configs"][0]["targets"]:
            host, port = target.split(":")
            assert int(port) in ports_of(hosts[host]), target
