"""`InferenceClient` over gRPC: sticky by session id, trace context in the metadata, cancel by closing the stream.

A replica that is lost is left for another one, in mid-sentence too (`continuing`), under another key: that leads to another host, and
behind a shared ingress to another replica.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
from opentelemetry import propagate

from a2llm.messages import (
    AppendRequest,
    EngineDown,
    GivenWords,
    IdleRequest,
    ListenRequest,
    ListenResult,
    ModelError,
    ModelInfo,
    Motion,
    Packet,
    Refused,
    ResponseRequest,
    RigUnavailable,
    UtteranceUnknown,
    WordsMissing,
)
from a2serve.contracts.media_clock import BYTES_PER_MS
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.proto import avatar_pb2
from a2serve.contracts.proto.convert import from_wire, to_wire
from a2serve.contracts.proto.errors import from_status
from a2serve.gateway.model_client.affinity import AffinityKeys
from a2serve.gateway.model_client.continuing import PATIENCE_S, Progress, ReplicaLost, Search
from a2serve.gateway.model_client.feeding import Feeder, with_words
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.model_client.hosts import Host, Hosts, choose
from a2serve.gateway.model_client.read_ahead import read_ahead

UNARY_TIMEOUT_S = 5.0
LISTEN_TIMEOUT_S = 20.0  # the whole utterance may have to be read again on a busy CPU; longer for a long one:
LISTEN_SHARE = 0.25  # of the sound that is sent
RESPONSE_TIMEOUT_S = 600.0
END_S = 1.0  # between a response's last packet and the end of its stream
PLACES = 6  # of an ingress that are asked before "no capacity" is believed; one answer costs about 3 ms
HOSTS = 2  # of a plain target that are asked at least: a host that was lost may be back at its address
MOST_MOVES = 50  # keys that are tried for one that leads elsewhere
MOST_AHEAD = 100  # packets of 50 ms that wait here: more than the engine's lead, so that all of it outlives the replica
# CANCELLED is what HAProxy makes of a dead replica; our own cancel is no gRPC error. NOT_FOUND is what an ingress says whose
# application has gone, or has not come yet: no replica says it.
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.NOT_FOUND)
log = logging.getLogger(__name__)

_CODES: dict[type, Code] = {Refused: Code.NO_CAPACITY, RigUnavailable: Code.RIG_UNAVAILABLE, ValueError: Code.INVALID_VALUE}


class GrpcInference:
    """`target`: where the hosts are (`Hosts`). `application` names the app where several share an ingress (Ray Serve): then the hosts
    are its doors, any of which leads to any replica. `weight`: of a tenant, by which it shares the slots with others. `patience_s`: how
    long a host is waited for where something was said or heard already.
    """

    def __init__(
        self,
        target: str,
        *,
        application: str = "",
        weight: Callable[[str], float] = lambda tenant: 1.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._application, self._weight, self._patience_s = application, weight, patience_s
        self._hosts = Hosts(target)
        self._keys = AffinityKeys()
        self._ending: set[asyncio.Task[None]] = set()

    async def describe(self) -> ModelInfo:
        with _problems():
            stub = (await self._host("")).stub
            described = await stub.Describe(avatar_pb2.DescribeRequest(), timeout=UNARY_TIMEOUT_S, metadata=self._metadata(""))
        return from_wire(ModelInfo, described)

    async def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        async with aclosing(read_ahead(self.whole(request, words), MOST_AHEAD, f"read {request.response_id}")) as packets:
            async for packet in packets:
                yield packet

    async def whole(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        """`respond` without reading ahead: from as many replicas as it takes. What one could not begin is left to another one at once,
        or fails."""
        progress = Progress(request)
        way = await self._way(self._patience_s if progress.begun else 0.0)
        while True:
            before = progress.packets
            try:
                async with aclosing(self._respond(with_words(progress.rest(), words), way, words)) as packets:
                    async for packet in packets:
                        yield progress.add(packet)
                        if packet.done:
                            return
                return
            except Problem as problem:
                full = problem.code is Code.NO_CAPACITY and (way.many or progress.begun)
                if not (full or isinstance(problem, ReplicaLost)):
                    raise
                if progress.packets > before:
                    progress.lose(problem)
                    way = await self._way(self._patience_s)
                    log.warning("a response was lost and goes on elsewhere", extra={"response_id": request.response_id})
                await self._leave(request.session_id, problem, way)

    async def _way(self, patience_s: float) -> "_Way":
        hosts = len(await self._hosts())
        places = PLACES if self._application else min(PLACES, max(HOSTS, hosts))
        return _Way(Search(places, patience_s), bool(self._application) or hosts > 1)

    async def _host(self, session_id: str) -> Host:
        """Host that the session's key leads to."""
        if hosts := await self._hosts():
            return choose(hosts, self._keys.key(session_id))
        raise ReplicaLost("the address of inference cannot be found")

    async def _leave(self, session_id: str, problem: Problem, way: "_Way") -> None:
        """Moves the session to another replica; not from the last one that is full, where it now has a claim. Raises `problem`."""
        if isinstance(problem, ReplicaLost):
            self._hosts.doubt()
        try:
            await way.search.another(problem)
        except Problem:
            if problem.code is not Code.NO_CAPACITY:
                await self._move(session_id, way.tried)
            raise
        await self._move(session_id, way.tried)

    async def _move(self, session_id: str, tried: set[str]) -> None:
        """Take a key that leads to another host, as long as there is one that was not tried; then all are tried again."""
        hosts = await self._hosts()
        fresh = {host.address for host in hosts} - tried
        if not fresh:
            tried.clear()
        for _ in range(MOST_MOVES):
            self._keys.move(session_id)
            if not fresh or choose(hosts, self._keys.key(session_id)).address in fresh:
                return

    async def _respond(self, request: ResponseRequest, way: "_Way", words: GivenStream | None) -> AsyncGenerator[Packet, None]:
        """Responds with one replica. A refused request comes back to it if no other one will be asked."""
        comes_back = way.search.last or not way.many
        host = await self._host(request.session_id)
        way.tried.add(host.address)
        message = to_wire(replace(request, tenant_weight=self._weight(request.tenant), comes_back=comes_back))
        call = host.stub.Respond(message, timeout=RESPONSE_TIMEOUT_S, metadata=self._metadata(request.session_id))
        feeder = self._feeder(request, host, call, words)
        ended = False
        try:
            with _problems(f"the response was not over within {RESPONSE_TIMEOUT_S:.0f} s"):
                async for packet in call:
                    if feeder:
                        feeder.start()  # now the replica knows the response
                    ended = packet.HasField("done")
                    yield from_wire(Packet, packet)
        except asyncio.CancelledError:
            if feeder and feeder.failed:
                raise ReplicaLost("the model does not take the words") from None
            raise
        finally:
            if feeder:
                feeder.stop()
            self._let_end(call) if ended else call.cancel()

    def _feeder(self, request: ResponseRequest, host: Host, call: Any, words: GivenStream | None) -> Feeder | None:
        """Feeder of the words that are not in the request."""
        given = request.options.given
        if words is None or given is None or given.over:
            return None

        async def append(offset: int, fresh: GivenWords) -> int:
            message = to_wire(AppendRequest(request.session_id, request.response_id, offset, fresh.text, fresh.over))
            taken = await host.stub.Append(message, timeout=UNARY_TIMEOUT_S, metadata=self._metadata(request.session_id))
            return int(taken.received)

        return Feeder(words, len(given.text), append, call.cancel)

    def _let_end(self, call: Any) -> None:
        """Behind its last packet; cancelled there, it would count as one that failed."""
        ending = asyncio.create_task(_end(call), name="end of a stream")
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def listen(self, audio: ListenRequest) -> ListenResult:
        """The last words of an utterance are waited for; what is heard meanwhile is asked for again anyway."""
        way = await self._way(self._patience_s if audio.final else 0.0)
        while True:
            try:
                return await self._listen(audio, way)
            except ReplicaLost as lost:
                await self._leave(audio.session_id, lost, way)

    async def _listen(self, audio: ListenRequest, way: "_Way") -> ListenResult:
        host = await self._host(audio.session_id)
        way.tried.add(host.address)
        sound_s = len(audio.pcm16) / BYTES_PER_MS / 1000
        limit_s = LISTEN_TIMEOUT_S + LISTEN_SHARE * sound_s
        late = f"{sound_s:.0f} s of sound were not heard within {limit_s:.0f} s: say it again in shorter parts"
        with _problems(late, UtteranceUnknown):
            message, metadata = to_wire(audio), self._metadata(audio.session_id)
            heard = await host.stub.Listen(message, timeout=limit_s, metadata=metadata)
        return from_wire(ListenResult, heard)

    async def idle(self, request: IdleRequest) -> Motion:
        with _problems():
            message, metadata = to_wire(request), self._metadata(request.session_id)
            stub = (await self._host(request.session_id)).stub
            motion = await stub.Idle(message, timeout=UNARY_TIMEOUT_S, metadata=metadata)
        return from_wire(Motion, motion)

    async def release(self, session_id: str) -> None:
        with _problems():
            message = avatar_pb2.ReleaseRequest(session_id=session_id)
            stub = (await self._host(session_id)).stub
            await stub.Release(message, timeout=UNARY_TIMEOUT_S, metadata=self._metadata(session_id))
        self._keys.forget(session_id)

    async def address_of(self, session_id: str) -> str:
        """Address of the host that serves the session."""
        return (await self._host(session_id)).address

    def affinity_key(self, session_id: str) -> str:
        """By which the ingress knows the session; equal keys lead to the same replica."""
        return self._keys.key(session_id)

    async def close(self) -> None:
        """Close the channels; calls in progress are cancelled."""
        await asyncio.gather(*self._ending)
        await self._hosts.close()

    def _metadata(self, session_id: str) -> tuple[tuple[str, str], ...]:
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        if session_id:
            carrier["session-id"] = self.affinity_key(session_id)
        if self._application:
            carrier["application"] = self._application
        return tuple(carrier.items())


@dataclass
class _Way:
    """One call's way through the replicas: how it looks for another, whether there are many, and the hosts that were tried."""

    search: Search
    many: bool
    tried: set[str] = field(default_factory=set[str])


async def _end(call: Any) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(END_S):
            await call.code()
    call.cancel()


@contextmanager
def _problems(late: str = "the model did not answer in time", precondition: type[ModelError] = RigUnavailable) -> Generator[None]:
    """gRPC's errors as ours, and UtteranceUnknown. What gRPC itself says is for the log; `late`: what to say when the time is over."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        detail = error.details() or error.code().name.lower()
        reason = from_status(error.code(), detail, error.trailing_metadata(), precondition)
        if error.code() in _LOST or isinstance(reason, EngineDown):
            log.info("inference is out of reach: %s", detail)
            raise ReplicaLost("the model is out of reach") from None
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise Problem(Code.TIMEOUT, detail if isinstance(reason, WordsMissing) else late) from None
        if isinstance(reason, UtteranceUnknown):
            raise reason from None
        retry_after_ms = reason.retry_after_ms or None if isinstance(reason, Refused) else None
        raise Problem(_CODES.get(type(reason), Code.INTERNAL), detail, retry_after_ms=retry_after_ms) from None
