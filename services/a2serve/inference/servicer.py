"""The Avatar service of avatar.proto: reads a request, hands it on, writes the answer, maps errors to status codes. No logic."""

import time
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
from opentelemetry.trace import Tracer

from a2serve.contracts.proto import avatar_pb2 as pb
from a2serve.contracts.proto import avatar_pb2_grpc
from a2serve.inference import wire
from a2serve.inference.ears import Ears, UtteranceUnknown
from a2serve.inference.engine_client import EngineClient
from a2serve.inference.exchange import EngineDown, Refused
from a2serve.inference.face import idle_motion
from a2serve.inference.metrics import Metrics
from a2serve.inference.model import Facts
from a2serve.inference.motion import RigUnavailable
from a2serve.inference.spans import ResponsePhases, span
from a2serve.telemetry import names

Context = grpc.aio.ServicerContext[Any, Any]
EXPECTED = (Refused, EngineDown, UtteranceUnknown, RigUnavailable, ValueError)
_CODES = {
    Refused: grpc.StatusCode.RESOURCE_EXHAUSTED, EngineDown: grpc.StatusCode.UNAVAILABLE,
    UtteranceUnknown: grpc.StatusCode.FAILED_PRECONDITION, RigUnavailable: grpc.StatusCode.FAILED_PRECONDITION,
}  # fmt: skip


class AvatarServicer(avatar_pb2_grpc.AvatarServicer):
    """`draining` refuses new responses; those that run go on."""

    def __init__(self, engine: EngineClient, ears: Ears, facts: Facts, metrics: Metrics, tracer: Tracer) -> None:
        self._engine, self._ears, self._facts, self._metrics, self._tracer = engine, ears, facts, metrics, tracer
        self.draining = False

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.ModelInfo:
        return wire.write_info(self._facts, self._engine.slots, self._engine.slots - self._engine.speaking)

    async def Respond(self, request: pb.RespondRequest, context: Context) -> None:
        attributes: dict[str, str | bool] = {
            names.ATTR_TENANT: request.tenant, names.ATTR_SESSION_ID: request.session_id, names.ATTR_RESPONSE_ID: request.response_id}
        with span(self._tracer, names.SPAN_INFERENCE_RESPOND, context.invocation_metadata(), attributes) as parent:
            phases = ResponsePhases(self._tracer, parent)
            try:
                await self._respond(request, context, phases)
            except EXPECTED as error:
                await _refuse(context, error)

    async def _respond(self, request: pb.RespondRequest, context: Context, phases: ResponsePhases) -> None:
        if self.draining:
            self._metrics.refused.labels("draining").inc()
            raise EngineDown("the replica drains: it takes no new responses")
        ask = wire.read_ask(request, self._facts)
        packets = wire.PacketStream(request, self._facts)
        async with aclosing(self._engine.respond(ask)) as pieces:
            async for piece in pieces:
                await context.write(packets.packet(piece))
                if piece.finish:
                    phases.finished(piece.finish)

    async def Listen(self, request: pb.ListenRequest, context: Context) -> pb.ListenReply:
        attributes: dict[str, str | bool] = {names.ATTR_SESSION_ID: request.session_id, names.ATTR_FINAL: request.final}
        started = time.perf_counter()
        with span(self._tracer, names.SPAN_INFERENCE_LISTEN, context.invocation_metadata(), attributes):
            try:
                heard = await self._ears.listen(wire.read_sound(request))
            except EXPECTED as error:
                await _refuse(context, error)
        self._metrics.listen.labels(str(request.final).lower()).observe(time.perf_counter() - started)
        return wire.write_hearing(request.utterance_id, heard)

    async def Idle(self, request: pb.IdleRequest, context: Context) -> pb.Motion:
        try:
            return idle_motion(request, self._facts)
        except EXPECTED as error:
            await _refuse(context, error)

    async def Release(self, request: pb.ReleaseRequest, context: Context) -> pb.ReleaseReply:
        heard = self._ears.forget(request.session_id)
        try:
            return pb.ReleaseReply(known=await self._engine.release(request.session_id) or heard)
        except EXPECTED as error:
            await _refuse(context, error)


async def _refuse(context: Context, error: Exception) -> NoReturn:
    """End the call with the status code of an expected error."""
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INVALID_ARGUMENT)
    metadata = (("retry-after-ms", str(error.retry_after_ms)),) if isinstance(error, Refused) else ()
    await context.abort(code, str(error), metadata)
    raise AssertionError("abort always raises")
