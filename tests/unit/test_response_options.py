"""An option of a response travels from the client's JSON to the sampling, whatever is in between: nothing may lose it.

The way is the real one: session.update and response.create, the gateway's settings, gRPC's bytes, a replica's reading, Triton's bytes,
the reading in its process, the engine.
"""

from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest
from pydantic import ValidationError
from support.models import tiny

from a2llm import messages
from a2llm.clock import FrameClock
from a2llm.engine import Engine, TextSampling, everybody
from a2llm.language.chat import find_persona, personas
from a2llm.messages import Affect, ResponseRequest, UserTurn
from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.proto import avatar_pb2, engine_pb2
from a2serve.contracts.proto.convert import to_wire
from a2serve.contracts.session_config import EngineOptions, SessionConfig
from a2serve.gateway.realtime.response.settings import answered_with, request_of, settle
from a2serve.inference import triton_wire, wire
from a2serve.inference.model import Facts

HELLO = (UserTurn("Hello"),)
FACTS = Facts("revision", FrameClock(), 2048, personas())
# Of each option of the engine: what a client asks for, and what the engine is to read.
ASKED: dict[str, tuple[Any, Any]] = {
    "temperature": (1.5, 1.5),
    "top_p": (0.3, 0.3),
    "seed": (2**53 - 1, 2**53 - 1),
    "expressiveness": (1.25, 1.25),
    "affect": ({"category": "joy", "intensity": 0.5}, Affect("joy", 0.5)),
}
parts = cache(tiny.parts)


def asked(session: dict[str, Any], response: dict[str, Any]) -> ResponseRequest:
    """A request as the gateway makes it."""
    config = SessionConfig().merged_with(SessionConfig.model_validate({"type": "realtime"} | session))
    options = ResponseOptions.model_validate(response)
    return request_of(settle(answered_with(config, options), options), HELLO, session_id="s", response_id="resp_1", tenant="acme")


def at_the_engine(request: ResponseRequest, triton: bool) -> ResponseRequest:
    """The request as an engine reads it, in a replica or behind Triton."""
    read = wire.read_request(avatar_pb2.RespondRequest.FromString(to_wire(request).SerializeToString()), FACTS)
    if not triton:
        return read
    sent = engine_pb2.EngineRequest.FromString(triton_wire.respond_request(read).SerializeToString())
    return wire.read_request(sent.respond, FACTS)


def tokens(session: dict[str, Any], response: dict[str, Any] | None = None, triton: bool = False) -> list[int]:
    """The tokens that the engine draws."""
    options = at_the_engine(asked(session, response or {}), triton).options
    engine = Engine(parts(), text_sampling=TextSampling(max_tokens=12))
    made = engine.respond(engine.open_conversation(find_persona("ada")), HELLO, options)
    while not made.over:
        engine.step(everybody(engine))
    return made.tokens


def test_every_option_of_the_engine_is_the_clients_to_choose():
    assert set(ASKED) == set(EngineOptions.model_fields)
    otherwise = {"audio": "output_modalities", "voice": "audio", "resume": None, "given": None}
    names = {otherwise.get(own.name, own.name) for own in fields(messages.ResponseOptions)} - {None}
    assert names <= SessionConfig.model_fields.keys() & ResponseOptions.model_fields.keys()


@pytest.mark.parametrize("triton", [False, True])
@pytest.mark.parametrize("name", EngineOptions.model_fields)
def test_an_option_arrives_at_the_engine(name: str, triton: bool):
    given, wanted = ASKED[name]
    for session, response in (({name: given}, {}), ({}, {name: given}), ({name: given}, {name: None})):
        assert getattr(at_the_engine(asked(session, response), triton).options, name) == wanted
    assert getattr(at_the_engine(asked({}, {}), triton).options, name) != wanted


@pytest.mark.parametrize("triton", [False, True])
def test_a_response_may_be_drawn_otherwise_than_its_session(triton: bool):
    likeliest, wild = tokens({"temperature": 0}), tokens({"temperature": 2, "seed": 7, "top_p": 1})
    assert likeliest != wild
    assert tokens({"temperature": 2, "seed": 7, "top_p": 1}, {"top_p": 1e-6}, triton) == likeliest
    assert tokens({"temperature": 2, "seed": 7, "top_p": 1}, {"temperature": 0}, triton) == likeliest
    assert tokens({"temperature": 2, "top_p": 1}, {"seed": 7}, triton) == wild
    assert tokens({"temperature": 2, "top_p": 1}, {"seed": 8}, triton) != wild


@pytest.mark.parametrize(
    ("name", "wrong", "why"),
    [
        ("temperature", -0.1, "greater than or equal to 0"),
        ("temperature", 2.1, "less than or equal to 2"),
        ("temperature", "1", "valid number"),
        ("top_p", 0, "greater than 0"),
        ("top_p", 1.1, "less than or equal to 1"),
        ("expressiveness", -0.1, "greater than or equal to 0"),
        ("expressiveness", 1.6, "less than or equal to 1.5"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 2**53, "less than"),
        ("seed", 1.5, "valid integer"),
        ("affect", {"category": "joy", "intensity": 1.5}, "less than or equal to 1"),
        ("affect", "joy", "valid dictionary|valid object|instance of AffectConfig"),
    ],
)
def test_a_wrong_option_is_named(name: str, wrong: object, why: str):
    for kind in (SessionConfig, ResponseOptions):
        with pytest.raises(ValidationError, match=why) as error:
            kind.model_validate({name: wrong})
        assert error.value.errors()[0]["loc"][0] == name


def test_a_voice_arrives_by_its_name_and_one_that_nobody_has_is_refused():
    def voice(session: str | None, response: str | None = None) -> str:
        chosen = {"audio": {"output": {"voice": session}}} if session else {}
        own = {"audio": {"output": {"voice": response}}} if response else {}
        return at_the_engine(asked(chosen, own), triton=True).options.voice

    assert [voice(None), voice("default"), voice("alloy"), voice("heart"), voice("default", "heart")] == ["", "", "", "heart", "heart"]
    with pytest.raises(ValueError, match="unknown voice 'nobody': choose one of heart"):
        voice("nobody")


def test_a_persona_s_strength_and_voice_go_along():
    request = ResponseRequest("s", "r", HELLO).answered_by(replace(find_persona("ada"), expressiveness=0.5, voice="own"))
    assert (request.options.expressiveness, request.usual_voice) == (0.5, "own")
    asked_otherwise = replace(request, options=replace(request.options, expressiveness=1.5))
    assert asked_otherwise.answered_by(find_persona("ada")).options.expressiveness == 1.5


def test_the_model_says_which_affects_it_has():
    with pytest.raises(ValueError, match="unknown affect 'hunger': choose one of neutral, joy"):
        at_the_engine(asked({"affect": {"category": "hunger"}}, {}), triton=False)


def test_a_null_of_the_session_leaves_it_to_the_model_again():
    config = SessionConfig().merged_with(SessionConfig(temperature=0.5)).merged_with(SessionConfig.model_validate({"temperature": None}))
    assert config.temperature is None
