"""The gateway as an ASGI app: `create_app(settings)` makes its parts, joins them and ends them; their work is elsewhere."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from a2serve.gateway import request_context
from a2serve.gateway.access.watch import LOOK_S
from a2serve.gateway.background import every, running
from a2serve.gateway.edge import problem_responses
from a2serve.gateway.edge.middleware import Edge, RequestMetrics
from a2serve.gateway.edge.request_bounds import RequestBounds
from a2serve.gateway.gauges import GatewayGauges
from a2serve.gateway.hearing.voice_activity import VoiceActivity
from a2serve.gateway.model_client.canary import CanaryInference, Choice
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.parts import GatewayParts
from a2serve.gateway.realtime.connection.socket_route import RealtimeService, realtime_router
from a2serve.gateway.rest import catalog, docs_page, health, openapi, secret_routes, sessions, traces, turns, usage
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.site import add_site
from a2serve.gateway.state import append_only_file, redis_client, redis_keys
from a2serve.gateway.state.audit_trail import FLUSH_S
from a2serve.gateway.state.endings import Endings
from a2serve.gateway.state.kafka_producer import IdempotentProducer
from a2serve.gateway.state.outbox_sender import OutboxSender
from a2serve.gateway.state.settling import Settling
from a2serve.gateway.tenants import TenantFile
from a2serve.telemetry import names
from a2serve.telemetry.setup import start_tracing

V1 = (sessions.router, turns.router, secret_routes.router, catalog.router, usage.router, traces.router)
GAUGES_S = 5.0


def create_app(settings: GatewaySettings) -> FastAPI:
    """Everything is reached lazily: the app starts while Redis, broker and inference are still down, and says so in /readyz and /statusz.

    Raises ValueError for an unreadable tenants file, FileNotFoundError for a wheel that is missing.
    """
    parts = _make_parts(settings)
    app = FastAPI(
        title="A2-LLM Serve",
        version="1",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.parts = parts
    app.state.realtime = RealtimeService(parts.admission, parts.collaborators)
    problem_responses.install(app)
    for router in V1:
        app.include_router(router, prefix="/v1")
    app.include_router(health.router)
    app.include_router(docs_page.docs_routes())
    app.include_router(realtime_router(app.state.realtime))
    openapi.install(app)
    add_site(app, settings, app.state.realtime)
    app.add_middleware(Edge, metrics=RequestMetrics(parts.registry), bounds=_bounds(settings), connections=parts.connections)
    return app


def _make_parts(settings: GatewaySettings) -> GatewayParts:
    http = httpx.AsyncClient(trust_env=False, verify=_trusted(settings.otlp_ca_file))
    tracing = start_tracing(names.SERVICE_GATEWAY, settings.otlp_endpoint, settings.otlp_ca_file)
    try:
        redis = redis_client.connect(settings.redis_url, **settings.redis_options)
    except ValueError as error:
        raise ValueError(f"A2_GATEWAY_REDIS_URL: {error}") from None
    tenants = TenantFile(settings.tenants_file)
    registry = CollectorRegistry()
    return GatewayParts(settings, redis, _grpc(settings, registry), http, tenants, tracing, registry)


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ValueError(f"A2_GATEWAY_OTLP_CA_FILE: {ca_file} cannot be read: {error}") from None


def _bounds(settings: GatewaySettings) -> RequestBounds:
    return RequestBounds(
        body_bytes=settings.body_limit_bytes,
        head_bytes=settings.head_limit_bytes,
        url_bytes=settings.url_limit_bytes,
        pause_s=settings.body_pause_s,
        whole_s=settings.body_timeout_s,
    )


def _grpc(settings: GatewaySettings, registry: CollectorRegistry) -> GrpcInference | CanaryInference:
    tenants = TenantFile(settings.tenants_file)
    at = partial(GrpcInference, application=settings.inference_application, weight=lambda tenant: tenants.content.limits(tenant).weight)
    if not settings.canary:
        return at(settings.inference)
    choice = Choice(settings.canary_share, frozenset(settings.canary_tenants))
    canary = at(settings.canary, patience_s=0.0)
    return CanaryInference(at(settings.inference), canary, choice, lambda: request_context.current().tenant, registry)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    parts: GatewayParts = app.state.parts
    await asyncio.to_thread(VoiceActivity)  # loads its network: the first session would hold up all others with that
    async with AsyncExitStack() as ending:
        ending.push_async_callback(parts.close)
        sender = OutboxSender(parts.redis, lambda: IdempotentProducer(parts.settings), _replica_name(parts.settings))
        await ending.enter_async_context(running(sender.run(), "outbox"))
        if words := parts.transcript_table:
            into_sql = OutboxSender(parts.redis, lambda: words, _replica_name(parts.settings), redis_keys.TRANSCRIPTS)
            await ending.enter_async_context(running(into_sql.run(), "transcripts"))
        await ending.enter_async_context(running(parts.spool.run(parts.late_writes.deliver), "spool"))
        await ending.enter_async_context(running(Settling(parts.redis, parts.settings.lost_after_s).run(), "settling"))
        rewrite = append_only_file.AppendOnlyFile(parts.redis).look
        await ending.enter_async_context(running(every(append_only_file.LOOK_S, rewrite), "append-only file"))
        await ending.enter_async_context(running(Endings(parts.redis, app.state.realtime.end).run(), "endings"))
        look = partial(parts.watch.look, app.state.realtime.withdraw)
        await ending.enter_async_context(running(every(LOOK_S, look), "watch"))
        ending.push_async_callback(parts.audit_trail.flush)
        await ending.enter_async_context(running(every(FLUSH_S, parts.audit_trail.flush), "audit trail"))
        gauges = GatewayGauges(parts.registry, parts.outbox, sender, app.state.realtime, parts.spool)
        await ending.enter_async_context(running(every(GAUGES_S, gauges.read), "gauges"))
        await ending.enter_async_context(running(every(GAUGES_S, parts.dependencies.look), "dependencies"))
        await ending.enter_async_context(running(parts.loop_lag.run(), "loop lag"))
        ending.push_async_callback(parts.background.close, parts.settings.drain_s)
        yield


def _replica_name(settings: GatewaySettings) -> str:
    """Name of this replica, the same after a restart, so that it goes on with unfinished work."""
    return f"{socket.gethostname()}:{settings.port}"
