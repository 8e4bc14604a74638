"""`@openai/agents-realtime` from npm, unmodified, and the real product: node/talk.mjs talks, this looks at what came out."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bench.realtime_client import spoken_question
from bench.service import Service
from e2e.understanding import understood

QUESTION, INTERRUPTION = "af_sarah_00", "am_eric_00"


@pytest.fixture(scope="module")
def events(product: Service, node_packages: Path, node_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the script printed, one entry per line."""
    folder = tmp_path_factory.mktemp("sounds")
    for name in (QUESTION, INTERRUPTION):
        (folder / f"{name}.pcm").write_bytes(spoken_question(name).astype("<i2").tobytes())
    url = f"{product.url.replace('http', 'ws', 1)}/v1/realtime"
    command = ["node", "talk.mjs", url, *(str(folder / f"{name}.pcm") for name in (QUESTION, INTERRUPTION))]
    environment = node_environment | {"A2_KEY": product.key}
    done = subprocess.run(command, cwd=node_packages, env=environment, capture_output=True, text=True, timeout=240)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def transcripts(events: list[dict[str, Any]], role: str) -> list[str]:
    """Of the SDK's history, in its order."""
    messages = [item for item in events[-1]["items"] if item["type"] == "message" and item["role"] == role]
    return [" ".join(part.get("transcript") or part.get("text") or "" for part in item["content"]) for item in messages]


def test_a_conversation(events: list[dict[str, Any]]) -> None:
    assert not of(events, "error")
    assert set(of(events, "tool")[0]["given"]) == {"city", "unit"}
    assert of(events, "story")[-1]["status"] == "cancelled" and of(events, "audio_interrupted")
    answers = [event for event in of(events, "agent_end") if event["text"]]
    assert len([event for event in answers if event["audio_ms"] > 500]) >= 3, "spoken, after the function, after the interruption"


def test_its_history_is_what_was_said_and_heard(events: list[dict[str, Any]]) -> None:
    user, avatar = transcripts(events, "user"), transcripts(events, "assistant")
    assert understood(user[0], QUESTION) and understood(user[-1], INTERRUPTION), user
    assert all(avatar) and of(events, "agent_end")[0]["text"] == avatar[0]
    calls = [item for item in events[-1]["items"] if item["type"] == "function_call"]
    assert calls and calls[0]["name"] == "get_weather" and "Sunny" in str(calls[0]["output"])
