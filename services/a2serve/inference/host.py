"""One replica: a gRPC server around one engine. Starts, shows its health, drains, stops. Not the command line: program is."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from prometheus_client import start_http_server

from a2serve.contracts.proto import LARGEST_MESSAGE_BYTES, avatar_pb2_grpc
from a2serve.inference.ear_pool import EarPool
from a2serve.inference.ears import Ears
from a2serve.inference.engine_client import LocalEngine
from a2serve.inference.engine_core import EngineCore
from a2serve.inference.engine_host import EngineHost
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import load_core, load_listener, read_facts
from a2serve.inference.servicer import Avatar, AvatarServicer
from a2serve.inference.settings import InferenceSettings
from a2serve.telemetry import names
from a2serve.telemetry.setup import start_tracing

SERVICE = "a2.inference.v1.Avatar"
# Gateways ask every 10 s whether a silent connection is still there; a server takes that amiss unless it is told not to.
_OPTIONS = [
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
]
# A thread in Python code gives way to another after this long. The default, 5 ms, is as long as an engine step.
SWITCH_INTERVAL_S = 0.001
Serving = health_pb2.HealthCheckResponse.ServingStatus


class Host:
    """One replica. `make_core` is called on the engine's thread."""

    def __init__(self, settings: InferenceSettings, make_core: Callable[[InferenceSettings, Metrics], EngineCore] = load_core) -> None:
        self._settings, self._metrics = settings, Metrics()
        self._tracing = start_tracing(names.SERVICE_INFERENCE, settings.otlp_endpoint)
        self._engine_host = EngineHost(lambda: make_core(settings, self._metrics), self._on_engine_failure)
        self._engine = LocalEngine(self._engine_host, settings.slots, self._metrics)
        self._health: Any = cast("Any", health).aio.HealthServicer()  # chosen at run time, so typed nowhere
        self._server = grpc.aio.server(options=_OPTIONS)
        self._task: asyncio.Task[None] | None = None  # held, or it could be collected before it ends
        self.port = self.metrics_port = 0

    async def start(self) -> None:
        """Take the ports, load, warm up; returns when responses can be made. Raises OSError for a taken port."""
        self.port = self._take_port()
        facts, listener, _ = await asyncio.gather(
            asyncio.to_thread(read_facts, self._settings), asyncio.to_thread(load_listener, self._settings), self._engine_host.start()
        )
        self._ears = Ears(listener, self._engine.turn_end, EarPool(self._settings.ears, self._metrics), self._settings.ear_sessions)
        tracer = self._tracing.get_tracer("a2serve.inference")
        self._avatar = Avatar(self._engine, self._ears, facts, self._metrics, tracer)
        cast("Any", avatar_pb2_grpc).add_AvatarServicer_to_server(AvatarServicer(self._avatar), self._server)
        cast("Any", health_pb2_grpc).add_HealthServicer_to_server(self._health, self._server)
        await self._show_health(Serving.SERVING)
        await self._server.start()
        self._serve_metrics()

    def _take_port(self) -> int:
        try:
            return self._server.add_insecure_port(f"{self._settings.host}:{self._settings.port}")
        except RuntimeError as error:
            where = f"{self._settings.host}:{self._settings.port}"
            raise OSError(f"cannot listen on {where} (A2_INFERENCE_HOST, A2_INFERENCE_PORT): {error}") from error

    def _serve_metrics(self) -> None:
        if self._settings.metrics_port >= 0:
            self.metrics_port = self._show_metrics()

    def _show_metrics(self) -> int:
        try:
            server, _ = start_http_server(self._settings.metrics_port, self._settings.host, self._metrics.registry)
        except OSError as error:
            where = f"{self._settings.host}:{self._settings.metrics_port}"
            raise OSError(f"cannot show metrics on {where} (A2_INFERENCE_METRICS_PORT; -1: none): {error}") from error
        return server.server_port

    async def drain(self) -> None:
        """Take no new responses and wait for those that run, up to the limit; then stop everything."""
        self._avatar.draining = True
        await self._show_health(Serving.NOT_SERVING)
        waited_s = 0.0
        while self._engine.speaking and waited_s < self._settings.drain_s:
            await asyncio.sleep(0.05)
            waited_s += 0.05
        await self.stop()

    async def stop(self) -> None:
        await self._server.stop(grace=1.0)
        await self._engine_host.stop()
        self._ears.close()
        self._tracing.shutdown()

    async def _show_health(self, status: "Serving.ValueType") -> None:
        for name in ("", SERVICE):
            await self._health.set(name, status)

    def _on_engine_failure(self) -> None:
        self._task = asyncio.ensure_future(self._show_health(Serving.NOT_SERVING))
