"""Compares a RayService with what Ray, KubeRay and our own application make of it."""

import ast
import inspect
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from a2serve.contracts.proto import avatar_pb2_grpc
from a2serve.inference.ray_environment import ray_environment
from a2serve.inference.ray_lease import RENEWED
from a2serve.inference.ray_scaling import SlotsPolicy
from a2serve.inference.ray_settings import RaySettings
from support.chart.render import ROOT, Object, Rendered, environment, pods
from support.chart.settings import IN_SERVE_CONFIG, source

LOG_BYTES = 64 << 20  # a dozen processes and some that have ended, in 2 GiB
WORKERS_WAIT_S = 600  # KubeRay gives it to workers: RAY_gcs_rpc_server_reconnect_timeout_s
HAPROXY_FOLDER = Path("/tmp/haproxy")


def ray_problems(found: Rendered) -> list[str]:
    """Empty when all is well."""
    containers = [(pod.owner, each) for pod in pods(found) for each in pod.containers if each["name"] in ("ray-head", "ray-worker")]
    problems = [f"{owner}: {problem}" for owner, each in containers for problem in _ray_variables(environment(each))]
    return problems + [f"{each['metadata']['name']}: {problem}" for each in found.of("RayService") for problem in _service(each)]


def _ray_variables(env: dict[str, Any]) -> Iterator[str]:
    """Compares variables with `ray_environment`. Access to Ray is KubeRay's business (authOptions)."""
    metrics_port = int(env.get("RAY_SERVE_HAPROXY_METRICS_PORT", 0)) or 1
    wanted = ray_environment(RaySettings(haproxy_metrics_port=metrics_port), HAPROXY_FOLDER)
    wanted = {name: value for name, value in wanted.items() if not name.startswith("RAY_AUTH_")}
    there = {name: value for name, value in env.items() if name.startswith("RAY_") and not name.startswith(("RAY_ROTATION_", "RAY_REDIS_"))}
    files = int(env.get("RAY_ROTATION_BACKUP_COUNT", 5)) + 1
    if (size := int(env.get("RAY_ROTATION_MAX_BYTES", 512 << 20)) * files) > LOG_BYTES:
        yield f"one process may log {size} bytes into /tmp"
    yield from (
        f"{name} is {there.get(name)!r}, not {wanted.get(name)!r}"
        for name in sorted(wanted.keys() | there.keys())
        if wanted.get(name) != there.get(name)
    )
    if (
        not env.get("A2_INFERENCE_TRITON_URLS")
        or env.get("A2_INFERENCE_REPLICA_CPUS") != "1"
        or env.get("A2_INFERENCE_REPLICA_GPUS") != "0"
    ):
        yield "a replica is not one Ray CPU and one Triton"


def _service(service: Object) -> Iterator[str]:
    config, cluster = yaml.safe_load(service["spec"]["serveConfigV2"]), service["spec"]["rayClusterConfig"]
    if config["grpc_options"] != {"port": 50051, "grpc_servicer_functions": [_servicer()]}:
        yield f"gRPC ingress {config['grpc_options']}"
    if config["http_options"] != {"host": "0.0.0.0", "port": 8000} or config["proxy_location"] != "EveryNode":
        yield "HAProxy does not listen everywhere at 8000"
    yield from _application(config["applications"], cluster)
    if cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] != "0":
        yield "the head would serve"
    if any(group["rayStartParams"]["num-cpus"] != "1" for group in cluster["workerGroupSpecs"]):
        yield "a worker would hold another number of replicas than one"
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["ray"]
    if f"ray[serve,serve-grpc]=={cluster['rayVersion']}" not in pins:
        yield f"Ray {cluster['rayVersion']} is not the pinned one"
    served = next(each for each in Rendered({"": [service]}, {}).services)["spec"]
    if served["clusterIP"] != "None" or [port["port"] for port in served["ports"]] != [50051]:
        yield f"gateways would find {served}"
    if (
        cluster["authOptions"] != {"mode": "token"}
        or not cluster["enableInTreeAutoscaling"]
        or not service["spec"]["excludeHeadPodFromServeSvc"]
    ):
        yield "Ray is open, does not scale, or serves on its head"
    yield from _tritons(cluster)
    yield from _lease(cluster)


def _servicer() -> str:
    return f"{avatar_pb2_grpc.__name__}.{avatar_pb2_grpc.add_AvatarServicer_to_server.__name__}"


def _application(applications: list[Object], cluster: Object) -> Iterator[str]:
    [application] = applications
    module, _, function = application["import_path"].partition(":")
    tree = ast.parse(source(module))
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body  # type: ignore[union-attr, attr-defined]
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    [deployment] = application["deployments"]
    if function not in defined or deployment["name"] != constants["DEPLOYMENT"]:
        yield f"no application {application['import_path']} with {deployment['name']}"
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        env = environment(group["template"]["spec"]["containers"][0])
        if env["A2_INFERENCE_APPLICATION"] != application["name"]:
            yield "replicas know another application"
    scaling = deployment["autoscaling_config"]
    yield from (f"autoscaling: {problem}" for problem in _scaling(scaling, cluster))


def _scaling(scaling: Object, cluster: Object) -> Iterator[str]:
    policy = scaling["policy"]
    if policy["policy_function"] != f"{SlotsPolicy.__module__}:{SlotsPolicy.__name__}":
        yield f"no policy {policy['policy_function']}"
    inspect.signature(SlotsPolicy).bind(**policy["policy_kwargs"])
    names = {
        "slots_share": policy["policy_kwargs"]["share"],
        "frl_limit_ms": policy["policy_kwargs"]["frl_limit_ms"],
        "scale_look_back_s": scaling["look_back_period_s"],
        "scale_up_s": scaling["upscale_delay_s"],
        "scale_down_s": scaling["downscale_delay_s"],
        "replicas_min": scaling["min_replicas"],
        "replicas_max": scaling["max_replicas"],
    }
    if names.keys() != IN_SERVE_CONFIG:
        yield f"it says {names.keys()}"
    RaySettings(**names)
    groups = cluster["workerGroupSpecs"]
    wanted = (max(1, sum(group["minReplicas"] for group in groups)), sum(group["maxReplicas"] for group in groups))
    if (scaling["min_replicas"], scaling["max_replicas"]) != wanted:
        yield f"bounds are not the workers' {wanted}"


def _tritons(cluster: Object) -> Iterator[str]:
    """Each worker's: the options of a2serve.local.triton, at the address that its replica asks, before it and after it."""
    for group in cluster["workerGroupSpecs"]:
        spec = group["template"]["spec"]
        triton = next((each for each in spec.get("initContainers", []) if each["name"] == "triton"), None)
        if triton is None or triton.get("restartPolicy") != "Always":
            yield f"{group['groupName']} has no Triton beside it"
            continue
        args, known = triton["args"], source("a2serve.local.triton")
        yield from (
            f"Triton knows no {name}"
            for name in {arg.partition("=")[0] for arg in args}
            if name not in known and name != "--cuda-memory-pool-byte-size"
        )
        needed = {"--load-model=a2llm", "--model-control-mode=explicit", "--disable-auto-complete-config"}
        yield from (f"Triton lacks {arg}" for arg in needed - set(args))
        asked = environment(spec["containers"][0])["A2_INFERENCE_TRITON_URLS"]
        if f"--grpc-address={asked.partition(':')[0]}" not in args or f"--grpc-port={asked.partition(':')[2]}" not in args:
            yield f"Triton is not at {asked}"
        yield from _gpu(triton, args)


def _gpu(triton: Object, args: list[str]) -> Iterator[str]:
    """All of it, or nothing of it."""
    digest = "@" in triton["image"]
    on_gpu = [
        "--model-config-name=gpu" in args,
        "--allow-gpu-metrics=true" in args,
        "nvidia.com/gpu" in triton["resources"]["limits"],
        *([] if digest else [triton["image"].endswith("-cuda")]),
    ]
    if len(set(on_gpu)) != 1:
        yield "Triton is on a GPU by half"


def _lease(cluster: Object) -> Iterator[str]:
    """Beside the head, of the same Redis and for longer than a worker waits for its head."""
    head, options = cluster["headGroupSpec"]["template"]["spec"], cluster["gcsFaultToleranceOptions"]
    lease = next((each for each in head.get("initContainers", []) if each["name"] == "ray-lease"), None)
    if lease is None or lease.get("restartPolicy") != "Always":
        yield "what Ray keeps in Redis stays there for ever"
        return
    env = environment(lease)
    wanted = {
        "RAY_REDIS_ADDRESS": options["redisAddress"],
        "REDIS_USERNAME": options.get("redisUsername", {}).get("value"),
        "RAY_external_storage_namespace": {"fieldRef": {"fieldPath": "metadata.annotations['ray.io/external-storage-namespace']"}},
    }
    for name, value in wanted.items():
        if env.get(name) != value:
            yield f"the lease has {name} {env.get(name)}, not {value}"
    secret, own = options.get("redisPassword", {}).get("valueFrom"), env.get("REDIS_PASSWORD")
    if secret and own != {"secretKeyRef": {**secret["secretKeyRef"], "optional": True}}:
        yield f"the lease has another password, {own}"
    if str(RENEWED) not in lease["livenessProbe"]["exec"]["command"][-1]:
        yield "whether the lease is renewed is looked for elsewhere"
    if int(lease["command"][-1]) < 2 * WORKERS_WAIT_S:
        yield "state expires while workers wait for their head"
