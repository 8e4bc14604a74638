"""Bytes of events: base64 in JSON, bytes everywhere else."""

import pytest

from a2serve.contracts.a2_events import MotionDelta
from a2serve.contracts.client_events import InputAudioAppend
from a2serve.contracts.events import parse_client_event, read_server_event, write_event
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import AudioDelta

PLACE = {"response_id": "r", "output_index": 0, "item_id": "i"}


def test_json_holds_base64_and_the_event_bytes():
    event = AudioDelta(**PLACE, delta=b"\x00\xff\x10")
    assert '"delta":"AP8Q"' in write_event(event)
    assert read_server_event(write_event(event)) == event
    assert event.model_dump()["delta"] == b"\x00\xff\x10"


@pytest.mark.parametrize(("values", "written"), [(b"ab", '"values":"YWI="'), ([[0.5, 1.0]], '"values":[[0.5,1.0]]')])
def test_motion_is_bytes_or_rows(values: bytes | list[list[float]], written: str):
    event = MotionDelta(**PLACE, sequence=0, start_ms=0.0, frames=1, values=values)
    assert written in write_event(event)
    assert read_server_event(write_event(event)) == event


def test_a_clients_audio_is_read_once():
    event = parse_client_event('{"type": "input_audio_buffer.append", "audio": "AAD/fw=="}')
    assert isinstance(event, InputAudioAppend) and event.audio == b"\x00\x00\xff\x7f"


@pytest.mark.parametrize(
    ("audio", "code"),
    [
        ('"AAA"', Code.INVALID_AUDIO),
        ('"A A="', Code.INVALID_AUDIO),
        ('"é"', Code.INVALID_AUDIO),
        ("5", Code.INVALID_VALUE),
        ('["AA=="]', Code.INVALID_VALUE),
    ],
)
def test_what_is_not_base64_is_refused(audio: str, code: Code):
    with pytest.raises(Problem) as caught:
        parse_client_event(f'{{"type": "input_audio_buffer.append", "event_id": "mine", "audio": {audio}}}')
    assert (caught.value.code, caught.value.param, caught.value.event_id) == (code, "audio", "mine")
