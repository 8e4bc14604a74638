"""`@openai/agents-realtime` from npm, unmodified, and the real product: node/talk.mjs talks, this looks at what came out."""

import json
from typing import Any

import pytest
from e2e.sdk_talk import SdkTalk
from e2e.understanding import understood


@pytest.fixture(scope="module")
def events(sdk_talk: SdkTalk) -> list[dict[str, Any]]:
    """Events that the script printed, one per line."""
    return [json.loads(line) for line in sdk_talk.output().splitlines()]


def of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def transcripts(events: list[dict[str, Any]], role: str) -> list[str]:
    """Transcripts of one role in the SDK's history, in its order."""
    messages = [item for item in events[-1]["items"] if item["type"] == "message" and item["role"] == role]
    return [" ".join(part.get("transcript") or part.get("text") or "" for part in item["content"]) for item in messages]


def test_a_conversation(events: list[dict[str, Any]]) -> None:
    assert not of(events, "error")
    assert set(of(events, "tool")[0]["given"]) == {"city", "unit"}
    assert of(events, "story")[-1]["status"] == "cancelled" and of(events, "audio_interrupted")
    responses = [event for event in of(events, "agent_end") if event["text"]]
    assert len([event for event in responses if event["audio_ms"] > 500]) >= 3, "spoken, after the function, after the interruption"


def test_its_history_is_what_was_said_and_heard(events: list[dict[str, Any]], sdk_talk: SdkTalk) -> None:
    user, avatar = transcripts(events, "user"), transcripts(events, "assistant")
    assert understood(user[0], sdk_talk.QUESTION) and understood(user[-1], sdk_talk.INTERRUPTION), user
    assert all(avatar) and of(events, "agent_end")[0]["text"] == avatar[0]
    calls = [item for item in events[-1]["items"] if item["type"] == "function_call"]
    assert calls and calls[0]["name"] == "get_weather" and "Sunny" in str(calls[0]["output"])
