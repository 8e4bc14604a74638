"""infra/terraform/README.md, followed as far as one can without a cloud: what it and the examples name is there, in this order."""

import json
import re
import shlex
import subprocess
import sys
from ipaddress import IPv4Network, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.chart.graph import named_in
from support.chart.render import CHART, Rendered, pods, render, rendered
from support.infra_files import INFRA

README = INFRA / "terraform" / "README.md"
CLOUDS = ("gke", "eks")
every_cloud = pytest.mark.parametrize("cloud", CLOUDS)


def section(title: str) -> str:
    """Commands below a heading, lines that go on joined."""
    part = re.split(r"(?m)^## ", README.read_text())
    [text] = [each for each in part if each.startswith(f"{title}\n")]
    return "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S)).replace("\\\n", " ")


def steps(cloud: str) -> str:
    """All of them, in order."""
    return section(cloud.upper()) + section("Then, on both")


def terraform(cloud: str) -> str:
    return "\n".join(path.read_text() for path in sorted((INFRA / "terraform" / cloud).glob("*.tf")))


def example(cloud: str) -> Rendered:
    return rendered(f"values-{cloud}")


@every_cloud
def test_every_secret_is_made_before_the_chart_is_installed(cloud: str) -> None:
    """By a step, or by External Secrets out of what Terraform stored."""
    before = steps(cloud).partition("helm upgrade --install a2llm ")[0]
    made = set(re.findall(r"create secret generic (\S+)", before))
    for each in example(cloud).of("ExternalSecret"):
        made.add(each["spec"]["target"]["name"])
        [source] = each["spec"]["dataFrom"]
        key = source["extract"]["key"].removeprefix("a2llm/").replace("AmazonMSK_a2llm", "kafka")
        assert re.search(rf"\b{key}\b", terraform(cloud).partition('"aws_secretsmanager_secret" "data"')[2].partition("}")[0]), key
    needed = {name for each in example(cloud).objects for kind, name in named_in(each.get("spec")) if kind == "Secret"}
    needed |= {
        service["spec"]["rayClusterConfig"]["gcsFaultToleranceOptions"]["redisPassword"]["valueFrom"]["secretKeyRef"]["name"]
        for service in example(cloud).of("RayService")
    }
    assert needed and needed <= made


@every_cloud
def test_the_operator_of_ray_lets_namespaces_go(cloud: str) -> None:
    """By default it keeps a Ray cluster until a Job has run, which no namespace takes that is being deleted."""
    [command] = re.findall(r"helm upgrade --install kuberay-operator (?:.*\\\n)*.*", steps(cloud))
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    name, _, value = words[words.index("--set-json") + 1].partition("=")
    assert name == "env" and {"name": "ENABLE_GCS_FT_REDIS_CLEANUP", "value": "false"} in json.loads(value)


@every_cloud
def test_what_the_chart_needs_is_installed_before_it(cloud: str) -> None:
    before, here, _ = steps(cloud).partition("helm upgrade --install a2llm ")
    wanted = ["kuberay-operator", "keda", "kube-prometheus-stack", "tempo"]
    wanted += (
        ["external-secrets", "aws-load-balancer-controller", "reloader", "nvidia", "cluster-autoscaler"] if cloud == "eks" else ["strimzi"]
    )
    assert here and [name for name in wanted if f"helm upgrade --install {name} " not in before] == []
    files = [file for file in re.findall(r"kubectl apply -f (\S+)", before) if "/" not in file]  # the others are named from the root
    assert files and all(list(yaml.safe_load_all((INFRA / "terraform" / cloud / file).read_text())) for file in files)


@every_cloud
def test_a_priority_is_made_once_and_by_no_release(cloud: str) -> None:
    """It belongs to the whole cluster: Helm would give it to the first release and refuse the second."""
    made = yaml.safe_load((INFRA / "terraform" / "priority-class.yaml").read_text())
    example = rendered(f"values-{cloud}")
    named = {pod.spec["priorityClassName"] for pod in pods(example) if "priorityClassName" in pod.spec}
    assert named == {made["metadata"]["name"]} and not example.of("PriorityClass")
    before = steps(cloud).partition("helm upgrade --install a2llm ")[0]
    assert "kubectl apply -f infra/terraform/priority-class.yaml" in before


@every_cloud
def test_outputs_that_are_asked_for_are_there(cloud: str) -> None:
    asked = set(re.findall(r"terraform output -(?:raw|json) (\w+)", steps(cloud)))
    there = set(re.findall(r'^output "(\w+)"', (INFRA / "terraform" / cloud / "outputs.tf").read_text(), re.M))
    assert asked and asked <= there


def test_a_key_is_made_as_the_program_makes_keys(tmp_path: Path) -> None:
    [line] = [line for line in section("Then, on both").splitlines() if "a2 keys" in line]
    words = shlex.split(line, comments=True)
    done = subprocess.run([str(Path(sys.executable).parent / "a2"), *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
    assert "--from-file=tenants.toml" in section("Then, on both") and (tmp_path / "tenants.toml").is_file()


def test_ports_and_images_are_the_charts() -> None:
    text = section("Then, on both")
    [forward] = re.findall(r"port-forward service/a2llm-gateway \d+:(\d+)", text)
    assert int(forward) in [port["port"] for port in example("gke").one("Service", "gateway")["spec"]["ports"]]
    assert "make images REGISTRY=$registry PUSH=1" in text, "one place knows the tags"
    assert "docker buildx build" not in README.read_text()
    command = [sys.executable, str(INFRA / "docker" / "images.py"), "--registry", "r.example/a2llm", "--push", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    pushed = set(re.findall(r"docker push (\S+)", done.stdout))
    found = render({**yaml.safe_load((CHART / "values-gke.yaml").read_text()), "image": {"registry": "r.example/a2llm"}})
    wanted = {container["image"] for pod in pods(found) for container in pod.containers if container["image"].startswith("r.example")}
    assert wanted and wanted <= pushed


def ranges(cloud: str) -> dict[str, IPv4Network]:
    """Address ranges that Terraform gives away, by what they are for."""
    text = terraform(cloud)
    if cloud == "gke":
        named = dict(re.findall(r'range_name\s+= "(\w+)"\s+ip_cidr_range = "([\d./]+)"', text))
        [nodes] = re.findall(r'^  ip_cidr_range\s+= "([\d./]+)"', text, re.M)
        [control] = re.findall(r'control_plane = "([\d./]+)"', text)
        [address], [length] = re.findall(r'^  address\s+= "([\d.]+)"', text, re.M), re.findall(r"prefix_length\s+= (\d+)", text)
        plain = {**named, "nodes": nodes, "control": control, "data": f"{address}/{length}"}
        return {name: IPv4Network(value) for name, value in plain.items()}
    [whole] = re.findall(r'cidr_block\s+= "([\d./]+)"\n\s+enable_dns', text)
    subnets = list(IPv4Network(whole).subnets(new_prefix=24))
    [first] = re.findall(r"cidrsubnet\(aws_vpc.net.cidr_block, 8, (\d+) \+ count.index\)", text)
    found = {"data": next(subnets[int(first)].supernet(new_prefix=20).subnets(new_prefix=20))}
    wide = list(IPv4Network(whole).subnets(prefixlen_diff=3))
    return found | {f"nodes{index}": wide[index + 1] for index in range(3)} | {f"public{index}": subnets[index] for index in range(3)}


@every_cloud
def test_no_range_lies_in_another(cloud: str) -> None:
    found = ranges(cloud)
    both = [(one, other) for one in found for other in found if one < other and found[one].overlaps(found[other])]
    assert both == []


@every_cloud
def test_addresses_of_the_example_are_those_of_terraform(cloud: str) -> None:
    data, values = ranges(cloud)["data"], example(cloud).values
    blocks = [
        ip_network(peer["ipBlock"]["cidr"])
        for name in ("redisTo", "kafkaTo", "databaseTo")
        for peer in values["networkPolicy"][name]
        if "ipBlock" in peer
    ]
    assert blocks and all(block == data for block in blocks)
    host = values["redis"]["address"].partition(":")[0]
    assert not re.fullmatch(r"[\d.]+", host) or ip_address(host) in data


def pools(tree: Any) -> set[str]:
    """Values of a2llm/pool, wherever a pod names them."""
    if isinstance(tree, list):
        return set().union(*map(pools, tree)) if tree else set()
    if not isinstance(tree, dict):
        return set()
    own = {tree["a2llm/pool"]} if isinstance(tree.get("a2llm/pool"), str) else set()
    own |= set(tree.get("values", [])) if tree.get("key") == "a2llm/pool" else set()
    return own.union(*map(pools, tree.values()))


@every_cloud
def test_pools_that_the_example_asks_for_are_made(cloud: str) -> None:
    """In the example of the variables, too: a group whose nodes nobody makes has pods that wait for ever."""
    asked = pools(example(cloud).of("RayService"))
    said = (INFRA / "terraform" / cloud / "example.tfvars").read_text()
    groups = set(re.findall(r"^  ([\w-]+)\s*= \{", said, re.M))
    labels = groups if cloud == "eks" else {"gpu"}
    assert asked and asked <= labels
    assert any("spot = true" in line for line in said.splitlines()), "the example has a group of spot nodes"


@every_cloud
def test_a_spot_group_takes_ordinary_nodes_where_there_are_no_others(cloud: str) -> None:
    """Ray chooses a group and waits; it knows no second choice. The scheduler and the cluster autoscaler do."""
    [service] = example(cloud).of("RayService")
    [spot] = [each for each in service["spec"]["rayClusterConfig"]["workerGroupSpecs"] if each["groupName"] == "spot"]
    affinity = spot["template"]["spec"]["affinity"]["nodeAffinity"]
    [preferred] = affinity["preferredDuringSchedulingIgnoredDuringExecution"]
    assert preferred["weight"] == 100 and "spot" in str(preferred["preference"])
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {"nodeSelectorTerms": []})["nodeSelectorTerms"]
    assert cloud == "gke" or pools(required) == {"gpu", "gpu-spot"}
    assert "spot" not in str(spot["template"]["spec"].get("nodeSelector"))


def test_the_device_plugin_finds_the_gpu_nodes_of_eks() -> None:
    """Its chart goes to nodes that NFD or this label calls GPU nodes; and the autoscaler is told of it for groups without nodes."""
    text = terraform("eks")
    assert re.search(r'contains\(keys\(var.gpu_pools\), name\) \? \{ "nvidia.com/gpu.present" = "true" \}', text)
    assert "labels          = local.labels[each.key]" in text and "for key, value in local.labels[name]" in text


def test_the_control_plane_of_gke_reaches_keda() -> None:
    [body] = re.findall(r'"google_compute_firewall" "control_plane" \{(.*?)^\}', terraform("gke"), re.S | re.M)
    assert '["6443", "9443"]' in body and "local.control_plane" in body and "google_service_account.nodes.email" in body


@every_cloud
def test_nodes_of_a_pool_are_replaced_one_at_a_time(cloud: str) -> None:
    """A budget over Ray's workers can hold `min` only; above it this is what keeps people talking."""
    assert re.search(
        r"max_surge\s+= 1\s+max_unavailable = 0" if cloud == "gke" else r"update_config \{\s+max_unavailable = 1", terraform(cloud)
    )


def test_gke_is_standard_and_says_so() -> None:
    assert "enable_autopilot" not in terraform("gke") and "Standard, not Autopilot" in README.read_text()
