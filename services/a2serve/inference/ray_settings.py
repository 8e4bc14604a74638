"""Settings of the Ray Serve host, beside those of the model in `settings`: A2_INFERENCE_<NAME>. The head reads them for all replicas."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RaySettings(BaseSettings):
    """Settings of the replicas: their number, what each runs on, and when there are more or fewer. `ray_program --help` prints it."""

    model_config = SettingsConfigDict(env_prefix="A2_INFERENCE_", frozen=True)

    application: str = Field(default="avatar", description="name of the application: what callers send as metadata `application`")
    triton_urls: str = Field(default="", description="Triton servers (gRPC), by commas, one per replica of a node; empty: in process")
    replicas_min: int = Field(default=1, ge=1, description="replicas that are always there")
    replicas_max: int = Field(default=4, ge=1, description="replicas at the most")
    replica_cpus: float = Field(default=0.1, ge=0, description="CPUs that Ray reserves for a replica, its Triton not included")
    replica_gpus: float = Field(default=0.0, ge=0, description="GPUs that Ray reserves for a replica")
    slots_share: float = Field(default=0.7, gt=0, le=1, description="replicas are added when more of the slots, or of the ears, are in use")
    frl_limit_ms: float = Field(default=600.0, gt=0, description="and when first packets take longer than this, or somebody is refused")
    scale_look_back_s: float = Field(default=12.0, gt=0, description="load is averaged over so long; longer than Ray reports it (10 s)")
    scale_up_s: float = Field(default=5.0, ge=0, description="more are wanted so long before they are started")
    scale_down_s: float = Field(default=120.0, ge=0, description="fewer are wanted so long before one is drained")
    replica_metrics_port: int = Field(default=9470, ge=-1, description="Prometheus port of a node's first replica, then upwards; -1: none")
    replica_port: int = Field(
        default=32_000,
        ge=1024,
        le=64_000,
        description="first of 701 ports on which replicas take calls, not shared with another cluster of this machine",
    )
    http_port: int = Field(default=8000, ge=1, le=65535, description="HTTP port of the ingress: /-/healthz")
    haproxy_metrics_port: int = Field(default=9101, ge=1, le=65535, description="Prometheus port of HAProxy")
    haproxy_stats_port: int = Field(default=8404, ge=1, le=65535, description="statistics page of HAProxy")
    ray_metrics_port: int = Field(default=8090, ge=1, le=65535, description="Prometheus port of Ray itself")
    ray_cpus: int = Field(default=4, ge=1, description="CPUs that Ray believes to have")
    ray_folder: str = Field(default="", description="where Ray writes its logs, emptied at each start; empty: a temporary folder")
    lease_folder: str = Field(default="", description="where replicas of a node note what they took; empty: the system's temporary folder")

    @property
    def triton_addresses(self) -> tuple[str, ...]:
        return tuple(address.strip() for address in self.triton_urls.split(",") if address.strip())

    @property
    def places(self) -> int:
        """Replicas that one node can hold: one per Triton, or as many as there may be, and those that drain meanwhile."""
        return len(self.triton_addresses) or 2 * self.replicas_max
