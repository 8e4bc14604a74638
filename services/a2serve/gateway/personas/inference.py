"""Inference as sessions see it: with the personas of the tenant that asks."""

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from a2llm.messages import IdleRequest, ListenRequest, ListenResult, ModelInfo, Motion, Packet, Persona, ResponseRequest
from a2serve.contracts.problems import Problem
from a2serve.gateway import request_context
from a2serve.gateway.language_model.responses import EndpointResponses
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.model_client.interface import InferenceClient
from a2serve.gateway.personas.bodies import PersonaBody, voices_of
from a2serve.gateway.personas.store import Personas
from a2serve.gateway.state.redis_away import while_redis_is_away

MOST_SEEN = 10_000
LATELY_S = 5.0
AWAY = "personas cannot be read now"


class InferenceWithPersonas:
    """Inference with the personas of whichever tenant asks, and with their language models. An `InferenceClient`."""

    def __init__(self, inner: InferenceClient, personas: Personas, endpoints: EndpointResponses | None = None) -> None:
        self._inner, self._personas, self._endpoints = inner, personas, endpoints
        self.revision = ""  # of the model, as inference last said
        self._said: tuple[ModelInfo, float] | None = None  # and when
        self._seen: dict[tuple[str, str], PersonaBody | None] = {}  # for answers while Redis is away

    async def describe(self) -> ModelInfo:
        """Describes the model, with the personas of the tenant whose request is served; without a request, only those of inference."""
        info = await self._inner.describe()
        self.revision, self._said = info.revision, (info, time.monotonic())
        return await self._with_own(info)

    async def lately(self) -> ModelInfo:
        """Describes the model as it was some seconds ago: enough for a turn, and asks no busy replica."""
        if self._said and time.monotonic() - self._said[1] < LATELY_S:
            return await self._with_own(self._said[0])
        return await self.describe()

    async def _with_own(self, info: ModelInfo) -> ModelInfo:
        tenant = request_context.current().tenant
        with while_redis_is_away(AWAY):
            own = await self._personas.all(tenant) if tenant else []
        voices = voices_of(info)
        return replace(info, personas=info.personas + tuple(_with_known_voice(persona.as_info(), voices) for persona in own))

    async def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        own = await self._own(request)
        asked = _without_name(request, own.as_info()) if own else request
        endpoint = own.language_model if own and words is None and request.options.given is None else None
        packets = (
            self._endpoints.respond(endpoint, asked, self._inner) if endpoint and self._endpoints else self._inner.respond(asked, words)
        )
        async with aclosing(packets):
            async for packet in packets:
                yield packet

    async def listen(self, audio: ListenRequest) -> ListenResult:
        return await self._inner.listen(audio)

    async def idle(self, request: IdleRequest) -> Motion:
        return await self._inner.idle(request)

    async def release(self, session_id: str) -> None:
        await self._inner.release(session_id)

    async def _own(self, request: ResponseRequest) -> PersonaBody | None:
        if not request.persona:
            return None
        name = request.tenant, request.persona
        try:
            with while_redis_is_away(AWAY):
                found = await self._personas.find(*name)
        except Problem:
            if name not in self._seen:
                raise
            return self._seen[name]
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen[name] = found
        return found


def _with_known_voice(persona: Persona, voices: list[str]) -> Persona:
    """The persona with the voice that speaks for it: a name that the model does not have was stored by an earlier version."""
    return persona if persona.voice in voices or not voices else replace(persona, voice=voices[0])


def _without_name(request: ResponseRequest, persona: Persona) -> ResponseRequest:
    """Replaces the persona's name by what it stands for. The session's own instructions go first."""
    return request.answered_by(replace(persona, name=""))
