"""Everything a running gateway holds, built once by `app` and found from a request with `parts_of`."""

import asyncio
import ipaddress
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import httpx
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from starlette.requests import HTTPConnection

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.access.auth import Authenticator
from a2serve.gateway.access.client_secrets import ClientSecrets
from a2serve.gateway.access.limits import TenantLimits
from a2serve.gateway.access.load_shedding import LoadShedding
from a2serve.gateway.access.watch import Watch
from a2serve.gateway.background import BackgroundTasks
from a2serve.gateway.edge.http_bounds import Connections
from a2serve.gateway.language_model.egress import Egress
from a2serve.gateway.language_model.responses import EndpointResponses
from a2serve.gateway.model_client.canary import CanaryInference
from a2serve.gateway.model_client.grpc_client import GrpcInference
from a2serve.gateway.personas.inference import InferenceWithPersonas
from a2serve.gateway.personas.store import Personas
from a2serve.gateway.readiness import Dependencies, LoopLag
from a2serve.gateway.realtime.connection.admission import SocketAdmission
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.response.metrics import ResponseMetrics
from a2serve.gateway.realtime.session.collaborators import Collaborators
from a2serve.gateway.settings import GatewaySettings
from a2serve.gateway.state.audit_trail import AuditTrail
from a2serve.gateway.state.idempotency import Idempotency
from a2serve.gateway.state.late_writes import LateWrites
from a2serve.gateway.state.outbox import Outbox
from a2serve.gateway.state.records_sink import OutboxRecords
from a2serve.gateway.state.redis_client import BoundedRedis
from a2serve.gateway.state.spool import Spool, names_redis
from a2serve.gateway.state.store import SessionStore
from a2serve.gateway.state.stored import Stored
from a2serve.gateway.state.transcripts import Transcripts, TranscriptTable
from a2serve.gateway.state.usage_reader import UsageReader
from a2serve.gateway.tenants import TenantFile


@dataclass
class GatewayParts:
    """Parts of one gateway. Outside systems (settings, Redis, inference, HTTP) are given; what only speaks to them is made here."""

    settings: GatewaySettings
    redis: BoundedRedis
    raw_inference: GrpcInference | CanaryInference
    http: httpx.AsyncClient
    tenants: TenantFile
    tracing: TracerProvider
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    load_shedding: LoadShedding = field(default_factory=LoadShedding)
    draining: bool = False

    @cached_property
    def secrets(self) -> ClientSecrets:
        return ClientSecrets(self.redis)

    @cached_property
    def authenticator(self) -> Authenticator:
        return Authenticator(self.tenants, self.secrets)

    @cached_property
    def watch(self) -> Watch:
        return Watch(self.authenticator, self.secrets, close_expired=self.settings.secret_expiry_closes)

    @cached_property
    def limits(self) -> TenantLimits:
        return TenantLimits(self.redis)

    @cached_property
    def stored(self) -> Stored:
        return Stored(self.redis, lambda tenant: self.tenants.content.limits(tenant))

    @cached_property
    def sessions(self) -> SessionStore:
        return SessionStore(self.redis, self.stored, self.spool, self.settings.session_ttl_s, self.settings.lost_after_s)

    @cached_property
    def personas(self) -> Personas:
        return Personas(self.redis)

    @cached_property
    def idempotency(self) -> Idempotency:
        return Idempotency(self.redis, self.stored)

    @cached_property
    def outbox(self) -> Outbox:
        return Outbox(self.redis)

    @cached_property
    def audit_trail(self) -> AuditTrail:
        return AuditTrail(self.outbox, lambda: self.tenants.content)

    @cached_property
    def spool(self) -> Spool:
        folder = self.settings.spool_folder or Path(tempfile.gettempdir()) / "a2-spool"
        return Spool(folder / names_redis(self.settings.redis_url), self.settings.spool_bytes)

    @cached_property
    def late_writes(self) -> LateWrites:
        return LateWrites(self.redis, self.sessions, self.spool)

    @cached_property
    def transcript_table(self) -> TranscriptTable | None:
        return TranscriptTable(self.settings.transcript_database) if self.settings.transcript_database else None

    @cached_property
    def transcripts(self) -> Transcripts:
        return Transcripts(self.redis, lambda tenant: self.tenants.content.limits(tenant).transcripts_days, self.transcript_table)

    @cached_property
    def response_metrics(self) -> ResponseMetrics:
        return ResponseMetrics(self.registry)

    @cached_property
    def usage(self) -> UsageReader:
        return UsageReader(self.settings.usage_database)

    @cached_property
    def inference(self) -> InferenceWithPersonas:
        """With the tenants' own personas."""
        return InferenceWithPersonas(self.raw_inference, self.personas, self.endpoints)

    @cached_property
    def endpoints(self) -> EndpointResponses:
        """Asks the tenants' own language models."""
        chosen = self.settings
        egress = Egress(
            chosen.language_model_hosts,
            [ipaddress.ip_network(str(network)) for network in chosen.language_model_networks],
            chosen.language_model_secrets,
            chosen.language_model_variables,
        )
        return EndpointResponses(egress, self.registry, self.tracing.get_tracer("a2serve.gateway"))

    @cached_property
    def connections(self) -> Connections:
        return Connections(self.settings.max_connections, self.settings.max_connections_per_address)

    @cached_property
    def dependencies(self) -> Dependencies:
        asked = {"redis": lambda: self.redis.execute_command("PING"), "inference": self.raw_inference.describe}
        return Dependencies(self.registry, asked)

    @cached_property
    def loop_lag(self) -> LoopLag:
        return LoopLag(self.registry)

    @cached_property
    def records(self) -> OutboxRecords:
        return OutboxRecords(self.outbox, self.transcripts, self.late_writes, lambda: self.inference.revision)

    @cached_property
    def admission(self) -> SocketAdmission:
        return SocketAdmission(self.authenticator, self.limits, self.sessions, self.watch, self.refuse_while_draining)

    @cached_property
    def collaborators(self) -> Collaborators:
        """Parts that every session of this gateway works with; each call says for which session."""
        return Collaborators(
            self.inference,
            self.sessions,
            self.records,
            session_limits(self.settings),
            refused=lambda problem: self.audit_trail.refused(problem.code, "socket"),
            tracer=self.tracing.get_tracer("a2serve.gateway"),
            metrics=self.response_metrics,
        )

    async def close(self) -> None:
        """Ends every connection."""
        await self.http.aclose()
        await self.redis.aclose()
        await self.endpoints.close()
        await self.raw_inference.close()
        self.usage.close()
        self.transcripts.close()
        self.spool.close()
        await asyncio.to_thread(self.tracing.shutdown)

    def refuse_while_draining(self) -> None:
        """Raises Problem(draining): new work belongs on another replica."""
        if self.draining:
            raise Problem(Code.DRAINING, "this replica is stopping; try again, another one will answer", retry_after_ms=1000)


def session_limits(settings: GatewaySettings) -> SessionLimits:
    """The bounds of a session that are settings."""
    return SessionLimits(
        max_session_ms=settings.session_max_s * 1000,
        go_away_ms=min(30_000, int(settings.drain_s * 1000)),
        lost_after_s=settings.lost_after_s,
        max_items=settings.conversation_items,
        max_conversation_bytes=settings.conversation_bytes,
    )


def parts_of(connection: HTTPConnection) -> GatewayParts:
    """The gateway that serves this request or socket."""
    return connection.app.state.parts
