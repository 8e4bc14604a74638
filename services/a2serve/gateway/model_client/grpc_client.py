"""`InferenceClient` over gRPC: sticky by session id, trace context in the metadata, cancel by closing the stream.

A replica that is lost is left for another one, in mid-sentence too (`continuing`); behind a shared ingress under another key.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager, suppress
from functools import cached_property
from typing import Any

import grpc
from opentelemetry import propagate

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2, avatar_pb2_grpc
from a2serve.gateway.model_client import grpc_messages as messages
from a2serve.gateway.model_client.affinity import AffinityKeys
from a2serve.gateway.model_client.continuing import PATIENCE_S, Progress, ReplicaLost, Search
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
from a2serve.gateway.model_client.read_ahead import read_ahead

UNARY_TIMEOUT_S = 5.0
LISTEN_TIMEOUT_S = 20.0  # the whole utterance may have to be read again on a busy CPU
RESPONSE_TIMEOUT_S = 600.0
END_S = 1.0  # between a response's last packet and the end of its stream
PLACES = 6  # of an ingress that are asked before "no capacity" is believed; one answer costs about 3 ms
HOSTS = 2  # of a plain target that are asked: the one that was known, and the one that took over
MOST_AHEAD = 100  # packets of 50 ms that wait here: more than the engine's lead, so that all of it outlives the replica
# A host that comes back is found within half a second; gRPC's own patience grows to two minutes.
_OPTIONS = [("grpc.max_receive_message_length", 16 << 20), ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 1000), ("grpc.max_reconnect_backoff_ms", 500)]  # fmt: skip
# CANCELLED is what HAProxy makes of a dead replica; our own cancel is no gRPC error.
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
log = logging.getLogger(__name__)

_CODES = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: Code.NO_CAPACITY,
    grpc.StatusCode.INVALID_ARGUMENT: Code.INVALID_VALUE,
    grpc.StatusCode.FAILED_PRECONDITION: Code.RIG_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Code.UNAVAILABLE,
}


class GrpcInference:
    """One channel for all sessions. `application` names the app where several share an ingress (Ray Serve). `weight`: of a tenant, by
    which it shares the slots with others.

    `target`: host:port, or "ipv4:host:port,host:port" for hosts of which the next one takes over when one is gone.
    """

    def __init__(self, target: str, *, application: str = "", channel: grpc.aio.Channel | None = None,
                 weight: Callable[[str], float] = lambda tenant: 1.0) -> None:
        self._target, self._given, self._application, self._weight = target, channel, application, weight
        self._keys = AffinityKeys()
        self._ending: set[asyncio.Task[None]] = set()

    @cached_property
    def _channel(self) -> grpc.aio.Channel:
        """Made on first use: a channel belongs to the loop it is made in, and the app is built before its loop runs."""
        return self._given or grpc.aio.insecure_channel(self._target, options=_OPTIONS)

    @cached_property
    def _stub(self) -> Any:
        return avatar_pb2_grpc.AvatarStub(self._channel)

    async def describe(self) -> ModelInfo:
        with _problems():
            reply = await self._stub.Describe(avatar_pb2.DescribeRequest(), timeout=UNARY_TIMEOUT_S, metadata=self._metadata(""))
        return messages.model_info(reply)

    async def respond(self, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
        async with aclosing(read_ahead(self._whole(request), MOST_AHEAD, f"read {request.response_id}")) as packets:
            async for packet in packets:
                yield packet

    async def _whole(self, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
        """From as many replicas as it takes. What one could not begin is left to another one at once, or fails."""
        progress, search = Progress(request), Search(self._places, 0.0)
        while True:
            before = progress.packets
            try:
                async with aclosing(self._respond(progress.rest(), last=search.last)) as packets:
                    async for packet in packets:
                        yield progress.add(packet)
                        if packet.done:
                            return
                return
            except Problem as problem:
                if not self._is_for_another(problem, progress.packets > 0):
                    raise
                if progress.packets > before:
                    progress.lose(problem)
                    search = Search(self._places, PATIENCE_S)
                    log.warning("a response was lost and goes on elsewhere", extra={"response_id": request.response_id})
                await self._leave(request.session_id, problem, search)

    async def _leave(self, session_id: str, problem: Problem, search: Search) -> None:
        """On to another replica; not from the last one that is full: who comes back has a claim there. Raises `problem`."""
        try:
            await search.another(problem)
        except Problem:
            if problem.code is not Code.NO_CAPACITY:
                self._keys.move(session_id)
            raise
        self._keys.move(session_id)

    def _is_for_another(self, problem: Problem, begun: bool) -> bool:
        full = problem.code is Code.NO_CAPACITY and (begun or bool(self._application))
        return full or isinstance(problem, ReplicaLost)

    @property
    def _places(self) -> int:
        return PLACES if self._application else HOSTS

    async def _respond(self, request: ResponseRequest, *, last: bool) -> AsyncGenerator[Packet, None]:
        """`last`: no other replica will be asked, so whoever is refused comes back to this one."""
        message = messages.respond_request(request, self._weight(request.tenant), comes_back=last or not self._application)
        call = self._stub.Respond(message, timeout=RESPONSE_TIMEOUT_S, metadata=self._metadata(request.session_id))
        ended = False
        try:
            with _problems():
                async for packet in call:
                    ended = packet.HasField("done")
                    yield messages.packet(packet)
        finally:
            self._let_end(call) if ended else call.cancel()

    def _let_end(self, call: Any) -> None:
        """Behind its last packet; cancelled there, it would count as one that failed."""
        ending = asyncio.create_task(_end(call), name="end of a stream")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def listen(self, audio: SpokenAudio) -> Heard:
        """The last words of an utterance are waited for; what is heard meanwhile is asked for again anyway."""
        search = Search(self._places, PATIENCE_S if audio.final else 0.0)
        while True:
            try:
                return await self._listen(audio)
            except ReplicaLost as lost:
                self._keys.move(audio.session_id)
                await search.another(lost)

    async def _listen(self, audio: SpokenAudio) -> Heard:
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
        await asyncio.gather(*self._ending)
        await self._channel.close()

    def _metadata(self, session_id: str) -> tuple[tuple[str, str], ...]:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        if session_id:
            carrier["session-id"] = self.affinity_key(session_id)
        if self._application:
            carrier["application"] = self._application
        return tuple(carrier.items())


async def _end(call: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(END_S):
            await call.code()
    call.cancel()


@contextmanager
def _problems() -> Generator[None]:
    """gRPC's errors as ours."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        detail = error.details() or error.code().name.lower()
        if error.code() in _LOST:
            raise ReplicaLost(detail) from None
        raise Problem(_CODES.get(error.code(), Code.INTERNAL), detail, retry_after_ms=_retry_after_ms(error)) from None


def _retry_after_ms(error: grpc.aio.AioRpcError) -> int | None:
    for key, value in error.trailing_metadata() or ():
        if key == "retry-after-ms" and str(value).isdigit():
            return int(value)
    return None
