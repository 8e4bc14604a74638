"""Inference with a tenant's own personas: inference gets what a persona stands for, and its name only where it knows it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from a2llm.messages import Affect, ModelInfo, Packet, Persona, ResponseRequest
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway import request_context
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.personas.bodies import AffectBody, PersonaBody, persona_body, voices_of
from a2serve.gateway.personas.inference import InferenceWithPersonas

SHIPPED = Persona("ada", "be kind", None, "ada", "hibari")
OWN = PersonaBody(name="host", instructions="be brief", voice="zorro", affect_baseline=AffectBody(category="joy", intensity=0.5))


@dataclass
class StoredPersonas:
    """The tenants' personas; `away`: Redis does not answer."""

    away: bool = False
    asked: list[str] = field(default_factory=list)

    async def all(self, tenant: str) -> list[PersonaBody]:
        self._reach()
        return [OWN] if tenant == "acme" else []

    async def find(self, tenant: str, name: str) -> PersonaBody | None:
        self._reach()
        self.asked.append(name)
        return OWN if (tenant, name) == ("acme", "host") else None

    def _reach(self) -> None:
        if self.away:
            raise RedisConnectionError


@dataclass
class Inner:
    """Inference that keeps what it is asked."""

    described: int = 0
    requests: list[ResponseRequest] = field(default_factory=list)

    async def describe(self) -> ModelInfo:
        self.described += 1
        return ModelInfo("r7", 24_000, 20, 40, personas=(SHIPPED,))

    async def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        self.requests.append(request)
        yield Packet(request.response_id)


async def asked(inference: InferenceWithPersonas, persona: str, instructions: str = "") -> ResponseRequest:
    """The request as inference gets it."""
    request = ResponseRequest("sess_1", "resp_1", (), persona=persona, instructions=instructions, tenant="acme")
    assert [packet.response_id async for packet in inference.respond(request)] == ["resp_1"]
    return inference._inner.requests[-1]  # type: ignore[attr-defined]


def made(stored: StoredPersonas | None = None) -> InferenceWithPersonas:
    return InferenceWithPersonas(Inner(), stored or StoredPersonas())  # type: ignore[arg-type]


def test_a_persona_of_ones_own_is_sent_without_its_name():
    async def scene() -> None:
        got = await asked(made(), "host")
        assert (got.persona, got.instructions, got.affect_baseline) == ("", "be brief", Affect("joy", 0.5))
        assert (await asked(made(), "host", "be long")).instructions == "be long", "the session's own go first"

    asyncio.run(scene())


def test_a_persona_that_ships_keeps_its_name_and_none_asks_nobody():
    async def scene() -> None:
        stored = StoredPersonas()
        assert (await asked(made(stored), "ada")).persona == "ada"
        assert (await asked(made(stored), "")).persona == "" and stored.asked == ["ada"]

    asyncio.run(scene())


def test_while_redis_is_away_what_was_seen_holds_and_nothing_is_guessed():
    async def scene() -> None:
        stored = StoredPersonas()
        inference = made(stored)
        await asked(inference, "host")
        stored.away = True
        assert (await asked(inference, "host")).instructions == "be brief"
        with pytest.raises(Problem) as caught:
            await asked(inference, "ada")
        assert caught.value.code == Code.STATE_UNAVAILABLE

    asyncio.run(scene())


def test_the_model_is_described_with_the_personas_of_who_asks():
    async def scene() -> None:
        inference = made()
        request_context.begin(None)
        assert [persona.name for persona in (await inference.describe()).personas] == ["ada"], "nobody asks"
        request_context.begin(None).tenant = "acme"
        personas = (await inference.describe()).personas
        assert [(persona.name, persona.voice) for persona in personas] == [("ada", "hibari"), ("host", "hibari")], "zorro is no voice here"
        assert inference.revision == "r7"

    asyncio.run(scene())


def test_lately_asks_once():
    async def scene() -> None:
        inference = made()
        for _ in range(3):
            assert (await inference.lately()).revision == "r7"
        assert inference._inner.described == 1  # type: ignore[attr-defined]

    asyncio.run(scene())


def test_a_persona_is_shown_as_it_ships():
    body = persona_body(Persona("eve", "be still", Affect("", 0.25), "man", "hibari"))
    assert body.affect_baseline == AffectBody(category="neutral", intensity=0.25)
    assert body.as_info() == Persona("eve", "be still", Affect("neutral", 0.25), "man", "hibari")
    info = ModelInfo("r", 24_000, 20, 40, personas=(SHIPPED, Persona("eve", "", None, "man", "nightingale"), SHIPPED))
    assert voices_of(info) == ["hibari", "nightingale"]
