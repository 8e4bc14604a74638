"""Two versions of the model side by side: some sessions use the canary, all others the stable one, each for as long as it lives.

A canary that does not answer costs no response: the session goes over to the stable version, in mid-sentence too, and stays there.
"""

import hashlib
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter

from a2llm.messages import IdleRequest, ListenRequest, ListenResult, ModelInfo, Motion, Packet, ResponseRequest
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.model_client.continuing import Progress
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.model_client.grpc_client import MOST_AHEAD, GrpcInference
from a2serve.gateway.model_client.read_ahead import read_ahead
from a2serve.telemetry import names

MOST_SESSIONS = 10_000  # that went over; older ones try the canary again
FAILED = (Code.UNAVAILABLE, Code.NO_CAPACITY, Code.TIMEOUT, Code.INTERNAL)  # everything else is about the request
Result = TypeVar("Result")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Choice:
    """Chooses the sessions of the canary: every session of `tenants`, and `share` (0 to 1) of all others. Equal on all gateways; a session
    that a small share takes is taken by a larger one too."""

    share: float = 0.0
    tenants: frozenset[str] = frozenset()

    def takes(self, session_id: str, tenant: str) -> bool:
        digest = hashlib.blake2b(session_id.encode(), digest_size=8, person=b"canary").digest()
        return tenant in self.tenants or int.from_bytes(digest, "big") < self.share * 2**64


class CanaryInference:
    """An `InferenceClient`. `tenant`: tenant of the request that is being served. The stable version describes the model (`describe`)."""

    def __init__(
        self, stable: GrpcInference, canary: GrpcInference, choice: Choice, tenant: Callable[[], str], registry: CollectorRegistry
    ) -> None:
        self._stable, self._canary, self._choice, self._tenant = stable, canary, choice, tenant
        self._gone_over: OrderedDict[str, None] = OrderedDict()
        label = (names.LABEL_CODE,)
        self._fallbacks = Counter(names.METRIC_GATEWAY_CANARY_FALLBACKS, "sessions that the canary failed", label, registry=registry)

    async def describe(self) -> ModelInfo:
        return await self._stable.describe()

    async def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        async with aclosing(read_ahead(self._whole(request, words), MOST_AHEAD, f"read {request.response_id}")) as packets:
            async for packet in packets:
                yield packet

    async def _whole(self, request: ResponseRequest, words: GivenStream | None) -> AsyncGenerator[Packet, None]:
        progress = Progress(request)
        if self._on_canary(request.session_id, request.tenant):
            try:
                async with aclosing(self._canary.whole(request, words)) as packets:
                    async for packet in packets:
                        yield progress.add(packet)
                return
            except Problem as problem:
                self._go_over(request.session_id, problem)
                progress.losses += 1
        async with aclosing(self._stable.whole(progress.rest(), words)) as packets:
            async for packet in packets:
                yield progress.add(packet)

    async def listen(self, audio: ListenRequest) -> ListenResult:
        return await self._ask(audio.session_id, lambda side: side.listen(audio))

    async def idle(self, request: IdleRequest) -> Motion:
        return await self._ask(request.session_id, lambda side: side.idle(request))

    async def release(self, session_id: str) -> None:
        await self._ask(session_id, lambda side: side.release(session_id))

    async def close(self) -> None:
        """Both sides; calls in progress are cancelled."""
        await self._stable.close()
        await self._canary.close()

    async def _ask(self, session_id: str, ask: Callable[[GrpcInference], Awaitable[Result]]) -> Result:
        if self._on_canary(session_id, self._tenant()):
            try:
                return await ask(self._canary)
            except Problem as problem:
                self._go_over(session_id, problem)
        return await ask(self._stable)

    def _on_canary(self, session_id: str, tenant: str) -> bool:
        own = _conversation(session_id)
        return self._choice.takes(own, tenant) and own not in self._gone_over

    def _go_over(self, session_id: str, problem: Problem) -> None:
        """To the stable version, for good. Raises `problem` where that would say the same."""
        if problem.code not in FAILED:
            raise problem
        log.warning("a session leaves the canary: %s", problem, extra={"session_id": session_id})
        self._fallbacks.labels(problem.code.value).inc()
        self._gone_over[_conversation(session_id)] = None
        while len(self._gone_over) > MOST_SESSIONS:
            self._gone_over.popitem(last=False)


def _conversation(session_id: str) -> str:
    """A response beside the conversation has an id of its own behind the session's, and belongs to the same side."""
    return session_id.partition(".")[0]
