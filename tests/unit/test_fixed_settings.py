"""Settings that a secret names are fixed, checked in the settings that would hold."""

import pytest

from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.items import MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.access.client_secrets import Grant, _named
from a2serve.gateway.realtime.response.settings import answered_with
from a2serve.gateway.state.saved_session import Owner, SavedSession


def grant(**config: object) -> Grant:
    named = _named(SessionConfig.model_validate(config))
    return Grant(id="cs_1", tenant="acme", key_id="k", config=named, origin=None, expires_at=1)


def message(role: str) -> MessageItem:
    return MessageItem.model_validate({"role": role, "content": [{"type": "input_text", "text": "b"}]})


@pytest.mark.parametrize(
    ("fixed", "session", "refused"),
    [
        ({}, {"instructions": "anything"}, ""),
        ({"instructions": "a"}, {"instructions": "a"}, ""),
        ({"instructions": "a"}, {"instructions": None}, ""),
        ({"instructions": "a"}, {"instructions": "b"}, "session.instructions"),
        ({"instructions": "a"}, {"audio": {"input": {"turn_detection": None}}}, ""),
        ({"max_output_tokens": 10}, {"max_output_tokens": 9}, ""),
        ({"max_output_tokens": 10}, {"max_output_tokens": 11}, "session.max_output_tokens"),
        ({"max_output_tokens": 10}, {"max_output_tokens": "inf"}, "session.max_output_tokens"),
        ({"max_output_tokens": "inf"}, {"max_output_tokens": 11}, ""),
        ({"tool_choice": "none"}, {"tool_choice": "auto"}, "session.tool_choice"),
        ({"output_modalities": ["text"]}, {"output_modalities": ["audio"]}, "session.output_modalities"),
        ({"a2": {"persona": "ada"}}, {"a2": {"motion": {"rig": "arkit61"}}}, ""),
        ({"a2": {"persona": "ada"}}, {"a2": {"persona": "max"}}, "session.a2.persona"),
        ({"a2": {"persona": "ada"}}, {"a2": {"persona": ""}}, "session.a2.persona"),
        ({"a2": {"persona": "ada"}}, {"a2": None}, "session.a2"),
        ({"a2": {"persona": "ada"}}, {"instructions": "you are max"}, "session.instructions"),
        ({"a2": {"persona": "ada"}, "instructions": "a"}, {"instructions": "a"}, ""),
        ({"a2": None}, {"a2": {"persona": "ada"}}, "session.a2"),
        ({"audio": {"output": {"voice": "heart"}}}, {"audio": {"output": {"voice": "hibari"}}}, "session.audio.output.voice"),
        ({"audio": {"output": {"voice": "heart"}}}, {"audio": {"output": {"speed": 1.2}}}, ""),
        ({"tracing": "auto"}, {"tracing": None}, ""),
        ({"tracing": "auto"}, {"tracing": "off"}, "session.tracing"),
        ({"model": "gpt-realtime"}, {"model": "other"}, ""),
    ],
)
def test_of_a_session(fixed: dict[str, object], session: dict[str, object], refused: str) -> None:
    bound = grant(**fixed)
    result = SessionConfig().merged_with(bound.session).merged_with(SessionConfig.model_validate(session))
    if not refused:
        bound.check_settings(result, "session")
        return
    with pytest.raises(Problem) as problem:
        bound.check_settings(result, "session")
    assert (problem.value.code, problem.value.param) == (Code.FORBIDDEN, refused)


@pytest.mark.parametrize(
    ("response", "allowed"),
    [
        ({}, True),
        ({"instructions": None, "tools": None}, True),
        ({"instructions": "a", "metadata": {"x": "y"}}, True),
        ({"instructions": "b"}, False),
        ({"instructions": ""}, False),
        ({"tools": [{"type": "function", "name": "f"}]}, False),
        ({"audio": {"output": {"voice": "hibari"}}}, False),
        ({"audio": {"output": {"voice": None}}}, True),
    ],
)
def test_of_one_response(response: dict[str, object], allowed: bool) -> None:
    bound = grant(instructions="a", tools=[], audio={"output": {"voice": "heart"}})
    result = answered_with(SessionConfig().merged_with(bound.session), ResponseOptions.model_validate(response))
    if allowed:
        bound.check_settings(result, "response")
        return
    with pytest.raises(Problem):
        bound.check_settings(result, "response")


def test_messages_of_the_system_are_instructions() -> None:
    grant().check_item(message("system"))
    grant(instructions="a").check_item(message("user"))
    for bound in (grant(instructions="a"), grant(a2={"persona": "ada"})):
        with pytest.raises(Problem):
            bound.check_item(message("system"))


def test_a_resumed_session_gets_what_is_fixed() -> None:
    loose = SavedSession({"instructions": "b", "a2": None}, [{"id": "1", "role": "system"}, {"id": "2", "role": "user"}], 7)
    strict = grant(instructions="a", a2={"persona": "ada"})
    for owner, left in ((Owner("k"), ["1", "2"]), (Owner("k", "cs_1"), ["1", "2"]), (Owner("k", "cs_2"), ["2"])):
        continued = strict.continued(loose, owner)
        assert (continued.config["instructions"], continued.config["a2"]["persona"]) == ("a", "ada")
        assert [item["id"] for item in continued.items] == left and continued.sequence == 7
    assert grant().continued(loose, Owner("k", "cs_2")).items == loose.items
