"""The Ray Serve application: `a2serve.inference.ray_app:app`, by import path for a RayService, by `ray_program` on one machine."""
# Ray's signatures are known in part only:
# pyright: reportUnknownMemberType=false

from typing import Any, cast

from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig, AutoscalingPolicy

from a2serve.inference.ray_replica import AvatarReplica
from a2serve.inference.ray_scaling import SlotsPolicy
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings

DEPLOYMENT = "Avatar"
CALLS_PER_SLOT = 16  # Respond, and beside it Listen and Idle; slots are what limits


def app(arguments: dict[str, str] | None = None) -> Application:
    """Built from the environment; `arguments` are for what a RayService writes there and are not read."""
    return build(InferenceSettings(), RaySettings())


def build(settings: InferenceSettings, ray_settings: RaySettings) -> Application:
    """One deployment: admission is the replica's own (its slots), routing is HAProxy's (docs/cluster.md)."""
    deployment = cast("Any", serve.deployment(AvatarReplica)).options(
        name=DEPLOYMENT,
        max_ongoing_requests=CALLS_PER_SLOT * settings.slots,
        ray_actor_options={"num_cpus": ray_settings.replica_cpus, "num_gpus": ray_settings.replica_gpus},
        autoscaling_config=_autoscaling(ray_settings),
        health_check_period_s=2,
        health_check_timeout_s=10,
        graceful_shutdown_timeout_s=settings.drain_s + 10,
        graceful_shutdown_wait_loop_s=0.5,
    )
    return deployment.bind(settings, ray_settings)


def _autoscaling(settings: RaySettings) -> AutoscalingConfig:
    policy = AutoscalingPolicy(
        policy_function=SlotsPolicy, policy_kwargs={"share": settings.slots_share, "frl_limit_ms": settings.frl_limit_ms}
    )
    return AutoscalingConfig(
        min_replicas=settings.replicas_min,
        max_replicas=settings.replicas_max,
        policy=policy,
        look_back_period_s=settings.scale_look_back_s,
        upscale_delay_s=settings.scale_up_s,
        downscale_delay_s=settings.scale_down_s,
    )
