"""One machine as a whole Ray cluster: head, HAProxy and the application. Imported after ray_environment is set."""
# Ray's signatures are known in part only:
# pyright: reportUnknownMemberType=false

from contextlib import suppress

import ray
from ray import serve
from ray.serve.config import HTTPOptions, gRPCOptions
from ray.serve.exceptions import RayServeException

from a2serve.inference.ray_app import build
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.settings import InferenceSettings

ADD_SERVICER = "a2serve.contracts.proto.avatar_pb2_grpc.add_AvatarServicer_to_server"
_OBJECT_STORE_BYTES = 80 << 20  # nothing is put there; less is not allowed


def start_ray(ray_settings: RaySettings) -> None:
    """Its daemons. Sets a handler for SIGTERM that ends the process and leaves them behind: set another one afterwards."""
    ray.init(
        address="local",
        num_cpus=ray_settings.ray_cpus,
        include_dashboard=False,
        object_store_memory=_OBJECT_STORE_BYTES,
        log_to_driver=False,
        _metrics_export_port=ray_settings.ray_metrics_port,
        _temp_dir=ray_settings.ray_folder or None,
    )


def start_serving(settings: InferenceSettings, ray_settings: RaySettings) -> None:
    """Returns when the first replicas can respond. Raises RuntimeError."""
    serve.start(
        proxy_location="HeadOnly",
        http_options=HTTPOptions(host=settings.host, port=ray_settings.http_port),
        grpc_options=gRPCOptions(port=settings.port, grpc_servicer_functions=[ADD_SERVICER]),
    )
    serve.run(build(settings, ray_settings), name=ray_settings.application)


def stop(application: str) -> None:
    """Drains the replicas, then ends everything that start() started."""
    with suppress(RayServeException, TimeoutError):  # it never came up, or takes longer than a minute
        serve.delete(application)  # HAProxy leads to them until they have ended; shutdown() alone would end it first, and every stream
    serve.shutdown()
    ray.shutdown()


def replica_count(application: str) -> dict[str, int]:
    """Replicas by their state, of all deployments."""
    deployments = serve.status().applications[application].deployments.values()
    return {state: count for deployment in deployments for state, count in deployment.replica_states.items()}
