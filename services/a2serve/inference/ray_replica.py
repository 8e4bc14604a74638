"""The deployment behind Ray Serve's gRPC ingress: an Avatar with the engine of its place. HAProxy sends calls straight to it.

One hop per response: gateway -> HAProxy -> this process. No handle, no object store, no Ray call per packet.
"""

import asyncio
import logging
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

import grpc
from prometheus_client import start_http_server

from a2llm.messages import Refused
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto.errors import EXPECTED, to_status
from a2serve.inference.ear_pool import EarPool
from a2serve.inference.ears import Ears
from a2serve.inference.host import SWITCH_INTERVAL_S
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_listener, read_facts
from a2serve.inference.ray_engine import open_engine
from a2serve.inference.ray_places import Place, take_place
from a2serve.inference.ray_scaling import Load
from a2serve.inference.ray_settings import RaySettings
from a2serve.inference.servicer import Avatar
from a2serve.inference.settings import InferenceSettings
from a2serve.telemetry import names
from a2serve.telemetry.setup import start_tracing

PLACE_PATIENCE_S = 30.0  # a replica that drains still has its place
REPLICA_KEY = "replica"  # trailing metadata
log = logging.getLogger(__name__)


class Context(Protocol):
    """The part of Ray's gRPC context that is used."""

    def invocation_metadata(self) -> list[tuple[str, str]]: ...
    def set_code(self, code: grpc.StatusCode) -> None: ...
    def set_details(self, details: str) -> None: ...
    def set_trailing_metadata(self, trailing_metadata: list[tuple[str, str]]) -> None: ...


class AvatarReplica:
    """One replica. Ray finds the methods of avatar.proto by their names."""

    async def __init__(self, settings: InferenceSettings, ray_settings: RaySettings) -> None:  # pyright: ignore[reportGeneralTypeIssues]
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._metrics, self._load = Metrics(), Load()
        self._tracing = start_tracing(names.SERVICE_INFERENCE, settings.otlp_endpoint)
        self._ear_pool = EarPool(settings.ears, self._metrics, self._load.ear_waited)
        self._place = await _take_place(ray_settings)
        self._name = f"{socket.gethostname()}/{self._place.number}"
        addresses = ray_settings.triton_addresses
        url = addresses[self._place.number] if addresses else ""
        facts, listener, self._engine = await asyncio.gather(
            asyncio.to_thread(read_facts, settings), asyncio.to_thread(load_listener, settings), open_engine(settings, url, self._metrics)
        )
        self._ears = Ears(listener, self._engine.client.turn_end, self._ear_pool, settings.ear_sessions)
        tracer = self._tracing.get_tracer("a2serve.inference")
        self._avatar = Avatar(self._engine.client, self._ears, facts, self._metrics, tracer)
        self._serve_metrics(settings.host, ray_settings.replica_metrics_port)

    async def Describe(self, request: pb.DescribeRequest, grpc_context: Context) -> pb.ModelInfo:
        self._sign(grpc_context)
        return self._avatar.describe()

    async def Respond(self, request: pb.RespondRequest, grpc_context: Context) -> AsyncGenerator[pb.Packet, None]:
        self._sign(grpc_context)
        began_s, first = time.perf_counter(), not request.HasField("resume")  # what goes on here began elsewhere
        try:
            async with aclosing(self._avatar.respond(request, grpc_context.invocation_metadata())) as packets:
                async for packet in packets:
                    if first:
                        self._load.first_packet((time.perf_counter() - began_s) * 1000)
                        first = False
                    yield packet
        except EXPECTED as error:
            if isinstance(error, Refused) and request.comes_back:  # it was the last place
                self._load.refused()
            self._end(grpc_context, error)

    async def Append(self, request: pb.AppendRequest, grpc_context: Context) -> pb.AppendResponse:
        self._sign(grpc_context)
        try:
            return await self._avatar.append(request)
        except EXPECTED as error:
            return self._end(grpc_context, error) or pb.AppendResponse()

    async def Listen(self, request: pb.ListenRequest, grpc_context: Context) -> pb.ListenResponse:
        self._sign(grpc_context)
        try:
            return await self._avatar.listen(request, grpc_context.invocation_metadata())
        except EXPECTED as error:
            return self._end(grpc_context, error) or pb.ListenResponse()

    async def Idle(self, request: pb.IdleRequest, grpc_context: Context) -> pb.Motion:
        try:
            return self._avatar.idle(request)
        except EXPECTED as error:
            return self._end(grpc_context, error) or pb.Motion()

    async def Release(self, request: pb.ReleaseRequest, grpc_context: Context) -> pb.ReleaseResponse:
        try:
            return await self._avatar.release(request)
        except EXPECTED as error:
            return self._end(grpc_context, error) or pb.ReleaseResponse()

    async def check_health(self) -> None:
        """Ray asks; raises EngineDown. HAProxy then sends nothing here, and Ray makes another replica."""
        await self._engine.check()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Ray asks; ray_scaling decides by it."""
        engine, ears = self._engine.client, self._ear_pool
        return self._load.reported(engine.slots, engine.speaking, ears.workers, ears.jobs)

    async def __del__(self) -> None:
        """Ray calls it once, after the drain."""
        self._ears.close()
        await self._engine.close()
        await asyncio.to_thread(self._tracing.shutdown)
        self._place.leave()

    def _sign(self, context: Context) -> None:
        """Names this replica in the trailing metadata: with it a log line or a trace leads to the replica."""
        context.set_trailing_metadata([(REPLICA_KEY, self._name)])

    def _end(self, context: Context, error: Exception) -> None:
        """Ray sends code, message and trailing metadata when the method has returned; an exception would lose the metadata."""
        status = to_status(error)
        context.set_code(status.code)
        context.set_details(status.details)
        context.set_trailing_metadata([(REPLICA_KEY, self._name), *status.metadata])

    def _serve_metrics(self, host: str, first_port: int) -> None:
        if first_port < 0:
            return
        port = first_port + self._place.number
        try:
            start_http_server(port, host, self._metrics.registry)
        except OSError as error:
            log.warning("no metrics on port %d: %s", port, error)


async def _take_place(settings: RaySettings) -> Place:
    return await asyncio.to_thread(take_place, settings.lease_folder, settings.application, settings.places, PLACE_PATIENCE_S)
