"""`InferenceClient` over gRPC: sticky by session id, trace context in the metadata, cancel by closing the stream."""

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from functools import cached_property
from typing import Any

import grpc
from opentelemetry import propagate

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2, avatar_pb2_grpc
from a2serve.gateway.model_client import grpc_messages as messages
from a2serve.gateway.model_client.affinity import AffinityKeys
from a2serve.gateway.model_client.interface import (
    Heard,
    IdleRequest,
    ModelInfo,
    Motion,
    Packet,
    ResponseRequest,
    SpokenAudio,
    UtteranceUnknown,
)

UNARY_TIMEOUT_S = 5.0
LISTEN_TIMEOUT_S = 20.0  # the whole utterance may have to be read again on a busy CPU
RESPONSE_TIMEOUT_S = 600.0
PLACES = 6  # of an ingress that are asked before "no capacity" is believed; one answer costs about 3 ms
_ELSEWHERE = (Code.NO_CAPACITY, Code.UNAVAILABLE)

_CODES = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Code.NO_CAPACITY,
    grpc.StatusCode.INVALID_ARGUMENT: Code.INVALID_VALUE,
    grpc.StatusCode.FAILED_PRECONDITION: Code.RIG_UNAVAILABLE,
    grpc.StatusCode.UNAVAILABLE: Code.UNAVAILABLE,
    grpc.StatusCode.CANCELLED: Code.UNAVAILABLE,  # what HAProxy makes of a dead replica; our own cancel is no gRPC error
    grpc.StatusCode.DEADLINE_EXCEEDED: Code.UNAVAILABLE,
}


class GrpcInference:
    """One channel for all sessions. `application` names the app where several share an ingress (Ray Serve)."""

    def __init__(self, target: str, *, application: str = "", channel: grpc.aio.Channel | None = None) -> None:
        self._target, self._given, self._application = target, channel, application
        self._keys = AffinityKeys()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        """Made on first use: a channel belongs to the loop it is made in, and the app is built before its loop runs."""
        return self._given or grpc.aio.insecure_channel(self._target, options=[("grpc.max_receive_message_length", 16 << 20)])

    @cached_property
    def _stub(self) -> Any:
        return avatar_pb2_grpc.AvatarStub(self._channel)

    async def describe(self) -> ModelInfo:
        with _problems():
            reply = await self._stub.Describe(avatar_pb2.DescribeRequest(), timeout=UNARY_TIMEOUT_S, metadata=self._metadata(""))
        return messages.model_info(reply)

    async def respond(self, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
        """Behind a shared ingress, what one replica cannot begin is left to another one."""
        places, begun = PLACES if self._application else 1, False
        while True:
            try:
                async with aclosing(self._respond(request)) as packets:
                    async for packet in packets:
                        begun = True
                        yield packet
                return
            except Problem as problem:
                if problem.code in _ELSEWHERE:
                    self._keys.move(request.session_id)
                    places -= 1
                if begun or not places or problem.code not in _ELSEWHERE:
                    raise

    async def _respond(self, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
        metadata = self._metadata(request.session_id)
        call = self._stub.Respond(messages.respond_request(request), timeout=RESPONSE_TIMEOUT_S, metadata=metadata)
        try:
            with _problems():
                async for packet in call:
                    yield messages.packet(packet)
        finally:
            call.cancel()

    async def listen(self, audio: SpokenAudio) -> Heard:
        try:
            with _problems():
                message, metadata = messages.listen_request(audio), self._metadata(audio.session_id)
                reply = await self._stub.Listen(message, timeout=LISTEN_TIMEOUT_S, metadata=metadata)
        except Problem as problem:
            if problem.code is Code.RIG_UNAVAILABLE:  # FAILED_PRECONDITION of Listen has one meaning
                raise UtteranceUnknown(audio.utterance_id) from None
            raise
        return messages.heard(reply)

    async def idle(self, request: IdleRequest) -> Motion:
        with _problems():
            message, metadata = messages.idle_request(request), self._metadata(request.session_id)
            reply = await self._stub.Idle(message, timeout=UNARY_TIMEOUT_S, metadata=metadata)
        return messages.motion(reply)

    async def release(self, session_id: str) -> None:
        with _problems():
            message = avatar_pb2.ReleaseRequest(session_id=session_id)
            await self._stub.Release(message, timeout=UNARY_TIMEOUT_S, metadata=self._metadata(session_id))
        self._keys.forget(session_id)

    def affinity_key(self, session_id: str) -> str:
        """By which the ingress knows the session; equal keys lead to the same replica."""
        return self._keys.key(session_id)

    async def close(self) -> None:
        """Close the channel; calls in progress are cancelled."""
        await self._channel.close()

    def _metadata(self, session_id: str) -> tuple[tuple[str, str], ...]:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        if session_id:
            carrier["session-id"] = self.affinity_key(session_id)
        if self._application:
            carrier["application"] = self._application
        return tuple(carrier.items())


@contextmanager
def _problems() -> Generator[None]:
    """gRPC's errors as ours."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        detail = error.details() or error.code().name.lower()
        raise Problem(_CODES.get(error.code(), Code.INTERNAL), detail, retry_after_ms=_retry_after_ms(error)) from None


def _retry_after_ms(error: grpc.aio.AioRpcError) -> int | None:
    for key, value in error.trailing_metadata() or ():
        if key == "retry-after-ms" and str(value).isdigit():
            return int(value)
    return None
