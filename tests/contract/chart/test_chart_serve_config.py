"""The Serve configuration as Ray itself reads it, in a process with the head's variables, which Ray reads when it is imported.

Without Ray (extra `cluster`) there is support.chart.ray, which knows what we know of it.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml
from support.chart.render import environment, profiles, rendered

READ = """
import json, sys
from ray.serve.config import AutoscalingConfig, gRPCOptions
from ray.serve.schema import ServeDeploySchema
for text in json.load(sys.stdin):
    read = ServeDeploySchema.model_validate(text)
    [application] = read.applications
    [deployment] = application.deployments
    assert (read.grpc_options.port, read.http_options.port) == (50051, 8000), read
    assert (deployment.name, deployment.num_replicas) == ("Avatar", "auto"), deployment
    options = read.grpc_options.model_dump(include={"port", "grpc_servicer_functions"})
    assert len(gRPCOptions(**options).grpc_servicer_func_callable) == 1
    scaling = AutoscalingConfig(**deployment.autoscaling_config)
    assert scaling.policy.get_policy().__name__ == "SlotsPolicy" and scaling.min_replicas >= 1
from ray.serve._private import constants
assert constants.RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S == 1 and constants.RAY_SERVE_ENABLE_HA_PROXY
print("read")
"""


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
def test_ray_reads_it() -> None:
    services = [service for profile in profiles() for service in rendered(profile).of("RayService")]
    configs = [yaml.safe_load(service["spec"]["serveConfigV2"]) for service in services]
    head = environment(services[0]["spec"]["rayClusterConfig"]["headGroupSpec"]["template"]["spec"]["containers"][0])
    env = os.environ | {name: value for name, value in head.items() if name.startswith("RAY_")}
    done = subprocess.run([sys.executable, "-c", READ], input=json.dumps(configs), env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout == "read\n", done.stderr[-3000:]
