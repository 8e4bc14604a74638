"""Personas: those that inference ships with, and each tenant's own, kept in Redis.

Sessions see both through `InferenceWithPersonas`; inference itself knows no tenant's.
"""

import time
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing, contextmanager
from dataclasses import replace
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError

from a2serve.contracts.problems import RETRY_AFTER_MS, Code, Problem
from a2serve.contracts.records import RecordBase
from a2serve.gateway import request_context
from a2serve.gateway.model_client.interface import (
    Affect,
    Heard,
    IdleRequest,
    InferenceClient,
    ModelInfo,
    Motion,
    Packet,
    PersonaInfo,
    ResponseRequest,
    SpokenAudio,
)
from a2serve.gateway.state import outbox, redis_keys

MAX_PERSONAS = 200
MOST_SEEN = 10_000
LATELY_S = 5.0
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"
PersonaName = Annotated[str, Field(pattern=NAME, description="a-z, 0-9, hyphen, underscore", examples=["concierge"])]


# KEYS: the tenant's personas, the outbox. ARGV: name, persona, most, records.
_CREATE = f"""
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 'taken' end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[3]) then
    redis.call('HDEL', KEYS[1], ARGV[1])
    return 'full'
end
local first = 4
{outbox.ADD}
return 'made'
"""
# KEYS: the tenant's personas, the outbox. ARGV: name, records.
_DELETE = f"""
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
local first = 2
{outbox.ADD}
return 1
"""


class AffectBody(BaseModel):
    """A feeling and how strong it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    category: str = Field(default="neutral", min_length=1, max_length=32, examples=["joy"])
    intensity: float = Field(default=0.0, ge=0, le=1)


class PersonaBody(BaseModel):
    """Who the avatar is: instructions for the model, the affect it rests in, its head and its voice."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: PersonaName
    instructions: str = Field(min_length=1, max_length=8000, examples=["You are the concierge of a small hotel. Be brief and kind."])
    avatar: str = Field(default="woman", pattern=NAME, description="one of GET /v1/avatars")
    voice: str = Field(default="heart", pattern=NAME, description="of a persona that ships, or `default`: the model's own")
    affect_baseline: AffectBody | None = None

    def as_info(self) -> PersonaInfo:
        rest = self.affect_baseline
        baseline = Affect(rest.category, rest.intensity) if rest else None
        return PersonaInfo(self.name, self.instructions, self.avatar, self.voice, baseline)


def persona_body(info: PersonaInfo) -> PersonaBody:
    """A persona of inference, as REST shows it."""
    rest = info.affect_baseline
    baseline = AffectBody(category=rest.category or "neutral", intensity=rest.intensity) if rest else None
    return PersonaBody.model_construct(
        name=info.name, instructions=info.instructions, avatar=info.avatar, voice=info.voice, affect_baseline=baseline
    )


class Personas:
    """The tenants' own."""

    def __init__(self, redis: "Redis") -> None:
        self._redis: Any = redis
        self._create: Any = redis.register_script(_CREATE)
        self._delete: Any = redis.register_script(_DELETE)

    async def all(self, tenant: str) -> list[PersonaBody]:
        """By name."""
        stored = await self._redis.hgetall(redis_keys.personas(tenant))
        return sorted((PersonaBody.model_validate_json(raw) for raw in stored.values()), key=lambda persona: persona.name)

    async def find(self, tenant: str, name: str) -> PersonaBody | None:
        raw = await self._redis.hget(redis_keys.personas(tenant), name)
        return PersonaBody.model_validate_json(raw) if raw else None

    async def create(self, tenant: str, persona: PersonaBody, *records: RecordBase) -> None:
        """Keep it, with the records that say so. Raises Problem(conflict) for a name in use or too many."""
        keys, made = [redis_keys.personas(tenant), redis_keys.OUTBOX], persona.model_dump_json()
        answer = await self._create(keys=keys, args=[persona.name, made, MAX_PERSONAS, *outbox.arguments(*records)])
        if answer == b"taken":
            raise Problem(Code.CONFLICT, f"a persona {persona.name!r} exists already", param="name")
        if answer == b"full":
            raise Problem(Code.CONFLICT, f"a tenant has at most {MAX_PERSONAS} personas")

    async def delete(self, tenant: str, name: str, *records: RecordBase) -> None:
        """Forget it, with the records that say so. Raises Problem(not_found): also for all but one who delete it at once."""
        keys = [redis_keys.personas(tenant), redis_keys.OUTBOX]
        if not await self._delete(keys=keys, args=[name, *outbox.arguments(*records)]):
            raise Problem(Code.NOT_FOUND, f"no persona {name!r} of your own")


class InferenceWithPersonas:
    """Inference with the personas of whichever tenant asks. An `InferenceClient`."""

    def __init__(self, inner: InferenceClient, personas: Personas) -> None:
        self._inner, self._personas = inner, personas
        self.revision = ""  # of the model, as inference last said
        self._said: tuple[ModelInfo, float] | None = None  # and when
        self._seen: dict[tuple[str, str], PersonaBody | None] = {}  # for answers while Redis is away

    async def describe(self) -> ModelInfo:
        """With the personas of the tenant whose request is served; outside of one, only those of inference."""
        info = await self._inner.describe()
        self.revision, self._said = info.revision, (info, time.monotonic())
        return await self._with_own(info)

    async def lately(self) -> ModelInfo:
        """`describe`, of the model as it was some seconds ago: enough for a turn, and nobody is asked who is busy."""
        if self._said and time.monotonic() - self._said[1] < LATELY_S:
            return await self._with_own(self._said[0])
        return await self.describe()

    async def _with_own(self, info: ModelInfo) -> ModelInfo:
        tenant = request_context.current().tenant
        with _problems():
            own = await self._personas.all(tenant) if tenant else []
        voices = voices_of(info)
        return replace(info, personas=info.personas + tuple(_with_known_voice(persona.as_info(), voices) for persona in own))

    async def respond(self, request: ResponseRequest) -> AsyncGenerator[Packet, None]:
        own = await self._own(request)
        packets = self._inner.respond(_without_name(request, own.as_info()) if own else request)
        async with aclosing(packets):
            async for packet in packets:
                yield packet

    async def listen(self, audio: SpokenAudio) -> Heard:
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
            found = await self._personas.find(*name)
        except RedisError:
            if name not in self._seen:
                raise Problem(Code.STATE_UNAVAILABLE, "personas cannot be read now", retry_after_ms=RETRY_AFTER_MS) from None
            return self._seen[name]
        if len(self._seen) >= MOST_SEEN:
            self._seen.clear()
        self._seen[name] = found
        return found


def voices_of(info: ModelInfo) -> list[str]:
    """The voices that the model has, its own first: those of the personas that ship, without a tenant's."""
    return list(dict.fromkeys(persona.voice for persona in info.personas))


def _with_known_voice(persona: PersonaInfo, voices: list[str]) -> PersonaInfo:
    """The persona with the voice that speaks for it: a name that the model does not have was stored by an earlier version."""
    return persona if persona.voice in voices or not voices else replace(persona, voice=voices[0])


@contextmanager
def _problems() -> Generator[None]:
    """Redis's errors as sessions know them."""
    try:
        yield
    except RedisError:
        raise Problem(Code.STATE_UNAVAILABLE, "personas cannot be read now", retry_after_ms=RETRY_AFTER_MS) from None


def _without_name(request: ResponseRequest, persona: PersonaInfo) -> ResponseRequest:
    """Inference gets what the persona stands for instead of its name. The session's own instructions go first."""
    return replace(request, persona="", instructions=request.instructions or persona.instructions, affect_baseline=persona.affect_baseline)
