"""The Avatar service of avatar.proto, in any host: reads a request, hands it on, writes the response. No logic, no server.

`Avatar` knows messages only; AvatarServicer puts it into a grpc.aio server, ray_replica into a Ray Serve deployment.
"""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
from opentelemetry.trace import Tracer

from a2llm.messages import AppendRequest, EngineDown, IdleRequest
from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto import avatar_pb2_grpc
from a2serve.contracts.proto.convert import from_wire, to_wire
from a2serve.contracts.proto.errors import EXPECTED, to_status
from a2serve.inference import wire
from a2serve.inference.ears import Ears
from a2serve.inference.engine_client import EngineClient
from a2serve.inference.face import idle_motion
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import Facts
from a2serve.inference.spans import Metadata, ResponsePhases, span
from a2serve.telemetry import names

Context = grpc.aio.ServicerContext[Any, Any]


class Avatar:
    """Every method may raise an EXPECTED error. `draining` refuses new responses; those that run go on."""

    def __init__(self, engine: EngineClient, ears: Ears, facts: Facts, metrics: Metrics, tracer: Tracer) -> None:
        self._engine, self._ears, self._facts, self._metrics, self._tracer = engine, ears, facts, metrics, tracer
        self.draining = False

    def describe(self) -> pb.ModelInfo:
        return to_wire(wire.model_info(self._facts, self._engine.slots, self._engine.slots - self._engine.speaking))

    async def respond(self, request: pb.RespondRequest, metadata: Metadata) -> AsyncGenerator[pb.Packet, None]:
        """Yields the response's packets; closing it cancels the response. Raises EngineDown, and what checks of the request raise."""
        attributes: dict[str, str | bool] = {
            names.ATTR_TENANT: request.tenant,
            names.ATTR_SESSION_ID: request.session_id,
            names.ATTR_RESPONSE_ID: request.response_id,
        }
        with span(self._tracer, names.SPAN_INFERENCE_RESPOND, metadata, attributes) as parent:
            if self.draining:
                self._metrics.refused.labels("draining").inc()
                raise EngineDown("the replica drains: it takes no new responses")
            phases, packets = ResponsePhases(self._tracer, parent), wire.PacketStream(request, self._facts)
            async with aclosing(self._engine.respond(wire.read_request(request, self._facts))) as outputs:
                async for output in outputs:
                    if output.done:  # before it leaves: a client that has the last packet may hang up
                        phases.finished(output.done)
                    yield packets.packet(output)

    async def append(self, request: pb.AppendRequest) -> pb.AppendResponse:
        return pb.AppendResponse(received=await self._engine.append(from_wire(AppendRequest, request)))

    async def listen(self, request: pb.ListenRequest, metadata: Metadata) -> pb.ListenResponse:
        attributes: dict[str, str | bool] = {names.ATTR_SESSION_ID: request.session_id, names.ATTR_FINAL: request.final}
        if request.final:  # the one that a turn waits for: it stands with it in a waterfall
            attributes[names.ATTR_UTTERANCE_ID] = request.utterance_id
        started = time.perf_counter()
        with span(self._tracer, names.SPAN_INFERENCE_LISTEN, metadata, attributes):
            heard = await self._ears.listen(wire.read_audio(request))
        self._metrics.listen.labels(str(request.final).lower()).observe(time.perf_counter() - started)
        return to_wire(heard)

    def idle(self, request: pb.IdleRequest) -> pb.Motion:
        return to_wire(idle_motion(from_wire(IdleRequest, request), self._facts))

    async def release(self, request: pb.ReleaseRequest) -> pb.ReleaseResponse:
        heard = self._ears.forget(request.session_id)
        return pb.ReleaseResponse(known=await self._engine.release(request.session_id) or heard)


class AvatarServicer(avatar_pb2_grpc.AvatarServicer):
    """An Avatar in a grpc.aio server."""

    def __init__(self, avatar: Avatar) -> None:
        self._avatar = avatar

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.ModelInfo:
        return self._avatar.describe()

    async def Respond(self, request: pb.RespondRequest, context: Context) -> None:
        try:
            async with aclosing(self._avatar.respond(request, context.invocation_metadata())) as packets:
                async for packet in packets:
                    await context.write(packet)
        except EXPECTED as error:
            await _refuse(context, error)

    async def Append(self, request: pb.AppendRequest, context: Context) -> pb.AppendResponse:
        try:
            return await self._avatar.append(request)
        except EXPECTED as error:
            await _refuse(context, error)

    async def Listen(self, request: pb.ListenRequest, context: Context) -> pb.ListenResponse:
        try:
            return await self._avatar.listen(request, context.invocation_metadata())
        except EXPECTED as error:
            await _refuse(context, error)

    async def Idle(self, request: pb.IdleRequest, context: Context) -> pb.Motion:
        try:
            return self._avatar.idle(request)
        except EXPECTED as error:
            await _refuse(context, error)

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseResponse:
        try:
            return await self._avatar.release(request)
        except EXPECTED as error:
            await _refuse(context, error)


async def _refuse(context: Context, error: Exception) -> NoReturn:
    """End the call with the status of an expected error."""
    await context.abort(*to_status(error))
    raise AssertionError("abort always raises")
