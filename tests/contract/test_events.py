"""Our events and the GA ones of the `openai` package: what its clients send we read, what we send its models read."""

import json
import typing

import pytest
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter

from a2serve.contracts import server_events as sent
from a2serve.contracts.events import CLIENT_EVENTS, SERVER_EVENTS, parse_client_event, read_server_event, write_event
from a2serve.contracts.items import ContentPart, FunctionCallItem, MessageItem
from a2serve.contracts.problems import MEANINGS, Code, Problem
from a2serve.contracts.session_config import AudioPcm

# Sent over WebRTC and SIP only, or about MCP servers: not ours.
NOT_CLIENT = {"output_audio_buffer.clear"}
WEBRTC_AND_MCP = ("output_audio_buffer.", "mcp_", "response.mcp_")
NOT_SENT = {
    "conversation.created",  # both belong to the API before GA
    "conversation.item.created",
    "conversation.item.input_audio_transcription.segment",
    "input_audio_buffer.dtmf_event_received",
}


def kinds_of(union: object) -> dict[str, type[BaseModel]]:
    members = typing.get_args(typing.get_args(union)[0])
    return {typing.get_args(member.model_fields["type"].annotation)[0]: member for member in members}


def test_every_ga_client_event_is_known():
    assert set(kinds_of(RealtimeClientEvent)) - NOT_CLIENT == {name for name in CLIENT_EVENTS if not name.startswith("a2.")}


def test_every_ga_server_event_that_is_ours_is_there():
    theirs = {name for name in kinds_of(RealtimeServerEvent) if not name.startswith(WEBRTC_AND_MCP)} - NOT_SENT
    assert theirs == {name for name in SERVER_EVENTS if not name.startswith("a2.")}


def test_no_field_of_ours_is_unknown_to_ga():
    theirs = kinds_of(RealtimeServerEvent)
    for name, kind in SERVER_EVENTS.items():
        if name in theirs:
            assert set(kind.model_fields) <= set(theirs[name].model_fields), name


PLACE = {"response_id": "r", "item_id": "i", "output_index": 0}
BODY = sent.ResponseBody(
    id="r",
    status="cancelled",
    status_details=sent.StatusDetails(type="cancelled", reason="turn_detected"),
    output=[MessageItem(id="i", role="assistant", content=[ContentPart(type="output_audio", transcript="hi")])],
    conversation_id=None,
    output_modalities=["audio"],
    max_output_tokens="inf",
    audio=sent.ResponseAudioInfo(output=sent.OutputAudioInfo(format=AudioPcm(), voice="default")),
    usage=sent.ResponseUsage(),
    metadata={"a": "b"},
)
EXAMPLES = [
    sent.ErrorEvent(error=sent.ErrorBody(type="server_error", code="x", message="m")),
    sent.ItemAdded(previous_item_id=None, item=MessageItem(role="user", content=[ContentPart(type="input_audio", transcript=None)])),
    sent.ItemDone(previous_item_id="p", item=FunctionCallItem(id="f", call_id="c", name="n", arguments="{}")),
    sent.ItemTruncated(item_id="i", audio_end_ms=10),
    sent.TranscriptionCompleted(item_id="i", transcript="t", usage=sent.TranscriptionUsage(seconds=1.5)),
    sent.TranscriptionFailed(item_id="i", error=sent.TranscriptionError(type="t", code="c", message="m")),
    sent.SpeechStarted(audio_start_ms=1, item_id="i"),
    sent.TimeoutTriggered(audio_start_ms=1, audio_end_ms=2, item_id="i"),
    sent.Committed(previous_item_id=None, item_id="i"),
    sent.ResponseDone(response=BODY),
    sent.ContentPartAdded(**PLACE, part=sent.ResponsePart(type="audio", transcript="")),
    sent.AudioDelta(**PLACE, delta="AAAA"),
    sent.TranscriptDelta(**PLACE, delta=" word"),
    sent.ArgumentsDone(**PLACE, call_id="c", name="n", arguments="{}"),
    sent.RateLimitsUpdated(rate_limits=[sent.RateLimit(name="tokens", limit=1, remaining=1, reset_seconds=0)]),
]


@pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event.type)
def test_ga_models_read_what_we_send(event):
    body = json.loads(write_event(event))
    TypeAdapter(RealtimeServerEvent).validate_python(body)
    assert read_server_event(json.dumps(body)) == event


def test_nulls_are_written_only_on_purpose():
    added = json.loads(write_event(EXAMPLES[1]))
    assert added["previous_item_id"] is None and added["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    assert "id" not in added["item"]


# What `openai` (Python) and `@openai/agents-realtime` 0.20 (Node) put on the wire.
STOCK_FRAMES = [
    {
        "type": "session.update",
        "session": {
            "type": "realtime",
            "model": "gpt-realtime-2",
            "instructions": "x",
            "output_modalities": ["audio"],
            "audio": {
                "input": {
                    "format": {"type": "audio/pcm", "rate": 24000},
                    "noise_reduction": None,
                    "transcription": {"model": "gpt-4o-mini-transcribe"},
                    "turn_detection": {"type": "semantic_vad", "create_response": True, "model_version": "x"},
                },
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash", "speed": 1},
            },
            "tool_choice": "auto",
            "tools": [{"type": "function", "name": "f", "description": "", "parameters": {"type": "object"}}],
        },
    },
    {"type": "session.update", "session": {"type": "realtime", "tracing": "auto"}},
    {"type": "session.update", "session": {"type": "realtime", "tracing": {"workflow_name": "w"}}},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}},
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "output": "1", "call_id": "c"}, "event_id": "e"},
    {"type": "conversation.item.truncate", "item_id": "i", "content_index": 0, "audio_end_ms": 0},
    {"type": "conversation.item.retrieve", "item_id": "i"},
    {"type": "conversation.item.delete", "item_id": "i", "event_id": "agents_delete_1"},
    {"type": "response.create"},
    {"type": "response.create", "response": {"conversation": "none", "input": [{"type": "item_reference", "id": "i"}], "metadata": {}}},
    {"type": "response.create", "response": {"tool_choice": {"type": "function", "name": "f"}, "output_modalities": ["text"]}},
    {"type": "response.cancel"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
]


@pytest.mark.parametrize("frame", STOCK_FRAMES, ids=lambda frame: frame["type"])
def test_stock_clients_are_understood(frame):
    assert parse_client_event(json.dumps(frame)).event_id == frame.get("event_id")


LOUD = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 7}}}}


@pytest.mark.parametrize(
    ("frame", "code", "param"),
    [
        ("{", Code.INVALID_JSON, None),
        ("\x00", Code.INVALID_JSON, None),
        ("[" * 5000, Code.INVALID_JSON, None),
        ("NaN", Code.INVALID_JSON, None),
        ("[]", Code.INVALID_EVENT, None),
        ('"response.create"', Code.INVALID_EVENT, None),
        ("{}", Code.INVALID_EVENT, "type"),
        ('{"type": ["a"]}', Code.INVALID_EVENT, "type"),
        ('{"type": "session.upbeat", "event_id": "e1"}', Code.INVALID_EVENT, "type"),
        ('{"type": "input_audio_buffer.append", "event_id": "e1"}', Code.MISSING_PARAMETER, "audio"),
        ('{"type": "input_audio_buffer.append", "audio": 5, "event_id": "e1"}', Code.INVALID_VALUE, "audio"),
        ('{"type": "response.cancel", "loud": true, "event_id": "e1"}', Code.UNKNOWN_PARAMETER, "loud"),
        (
            json.dumps({"type": "session.update", "event_id": "e1", "session": LOUD}),
            Code.INVALID_VALUE,
            "session.audio.input.turn_detection.threshold",
        ),
        (
            '{"type": "session.update", "event_id": "e1", "session": {"type": "realtime", "voice": "ash"}}',
            Code.UNKNOWN_PARAMETER,
            "session.voice",
        ),
    ],
)
def test_bad_frames_are_named(frame, code, param):
    with pytest.raises(Problem) as caught:
        parse_client_event(frame)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.event_id == ("e1" if "e1" in frame else None)
    error = caught.value.as_event().error
    assert error.code == code and error.type == "invalid_request_error" and error.message


def test_every_code_has_its_meaning():
    assert set(MEANINGS) == set(Code)
    body = Problem(Code.NO_CAPACITY, "full").as_json("req_1")
    assert (body["status"], body["code"], body["request_id"]) == (503, "no_capacity", "req_1")
    assert body["type"].endswith("/no_capacity")
