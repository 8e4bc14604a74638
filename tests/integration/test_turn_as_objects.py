"""A turn by REST goes through the session as event objects: nothing is written as JSON or base64 and read back inside the process."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from dataclasses import asdict
from typing import Any

import orjson
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticSerializationError
from support.servers.realtime import Clock, Memory, run

from a2llm.messages import Done, IdleRequest, ListenRequest, ListenResult, ModelInfo, Motion, Packet, ResponseRequest, Usage
from a2serve.contracts import base64_bytes, events, json_input, packets
from a2serve.contracts.server_events import AudioDelta, ResponseDone, ServerEventBase
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.conversation.conversation import Item
from a2serve.gateway.model_client.given_stream import GivenStream
from a2serve.gateway.realtime.connection import socket_transport
from a2serve.gateway.realtime.connection.headless_turn import HeadlessTurn
from a2serve.gateway.realtime.session.collaborators import Collaborators, Identity
from a2serve.gateway.rest.turn_collector import TurnCollector
from a2serve.gateway.rest.turn_models import TurnAudio, TurnCreate
from a2serve.gateway.rest.turns import _events_of, _turn_config
from a2serve.gateway.state.saved_session import SavedSession

PACKET_SAMPLES, PACKETS, RIG = 1200, 4, "arkit61"
SAID = bytes(range(256)) * 375  # two seconds of PCM16


class InProcess:
    """An inference client without a wire: sound and motion from a script, the words of a question from its length."""

    def __init__(self) -> None:
        self.listened_bytes = 0

    async def describe(self) -> ModelInfo:
        return ModelInfo("scripted", 24_000, 20, 40, {RIG: ("jaw", "brow")})

    async def respond(self, request: ResponseRequest, words: GivenStream | None = None) -> AsyncGenerator[Packet, None]:
        for index in range(PACKETS):
            motion = Motion(RIG, 60, 3 * index, 3, bytes([index] * 12))
            pcm16 = index.to_bytes(2, "little") * PACKET_SAMPLES
            yield Packet(request.response_id, index * PACKET_SAMPLES, text=f"word{index}", pcm16=pcm16, motion=motion)
        yield Packet(request.response_id, PACKETS * PACKET_SAMPLES, done=Done("completed", Usage(input_tokens=3)))

    async def listen(self, audio: ListenRequest) -> ListenResult:
        self.listened_bytes = max(self.listened_bytes, audio.offset_samples * 2 + len(audio.pcm16))
        return ListenResult("", self.listened_bytes // 2, "good morning", 12, 1.0)

    async def idle(self, request: IdleRequest) -> Motion:
        return Motion(RIG, 60, request.from_frame, 0, b"")

    async def release(self, session_id: str) -> None: ...


class Remembering(Memory):
    """Without the check that what is saved is JSON."""

    async def save(self, identity: Any, saved: SavedSession, checkpoint: Any) -> None:
        self.saved[identity.tenant, identity.session_id] = saved


def forbid(patch: pytest.MonkeyPatch) -> None:
    """Every way to write or read JSON, base64 and packets raises."""

    def serialised(*_: Any, **__: Any) -> Any:
        raise AssertionError("an event was serialised or read inside the process")

    places: list[tuple[Any, list[str]]] = [
        (base64, ["b64encode", "b64decode"]),
        (base64_bytes, ["b64encode", "b64decode"]),
        (json, ["dumps", "loads"]),
        (orjson, ["dumps", "loads"]),
        (json_input, ["from_json", "parse_json"]),
        (events, ["write_event", "parse_client_event", "from_json"]),
        (packets, ["write_packet", "read_packet"]),
        (socket_transport, ["write_event", "parse_client_event", "write_packet", "read_packet"]),
        (BaseModel, ["model_dump_json", "model_validate_json"]),
    ]
    for owner, names in places:
        for name in names:
            patch.setattr(owner, name, serialised)
    patch.setattr(Item, "as_json", asdict)  # the form that Redis keeps is no event; in earnest, orjson makes it


async def turn(body: TurnCreate, patch: pytest.MonkeyPatch, inference: InProcess) -> list[ServerEventBase]:
    """The events of one turn, run with nothing to serialise by."""
    asked, config, memory = _events_of(body), _turn_config(SessionConfig(), body), Remembering()
    parts = Collaborators(inference, memory, memory, now_ms=Clock())
    made = HeadlessTurn(Identity("sess_1", "acme", "turn_1"), config, SavedSession({}, []), parts, await inference.describe())
    with patch.context() as inside:
        forbid(inside)
        running = asyncio.create_task(made.run(asked, 20))
        found = [event async for event in made.events()]
        await running
    return found


@pytest.mark.parametrize("encoding", ["f16_base64", "json"])
def test_sound_and_motion_of_a_turn_are_never_text(encoding: str, monkeypatch: pytest.MonkeyPatch):
    body = TurnCreate(
        audio=TurnAudio(data=base64.b64encode(SAID).decode(), format="pcm16"),
        stream=False,
        audio_format="pcm16",
        motion={"rig": RIG, "fps": 60, "encoding": encoding},  # type: ignore[arg-type]
    )
    inference = InProcess()

    async def scene() -> None:
        found = await turn(body, monkeypatch, inference)
        collector = TurnCollector("sess_1", "pcm16")
        for event in found:
            collector.take(event)
        whole = collector.body()
        assert (whole.status, whole.text) == ("completed", "word0 word1 word2 word3")
        assert whole.user and whole.user.transcript == "good morning" and inference.listened_bytes == len(SAID)
        sound = b"".join(index.to_bytes(2, "little") * PACKET_SAMPLES for index in range(PACKETS))
        assert whole.audio and base64.b64decode(whole.audio.data) == sound
        assert whole.motion and whole.motion.frames == 3 * PACKETS
        assert sum(isinstance(event, AudioDelta) for event in found) == PACKETS
        assert isinstance([event for event in found if isinstance(event, ResponseDone)][-1], ResponseDone)

    run(scene)


def test_the_guard_of_this_test_finds_what_is_serialised(monkeypatch: pytest.MonkeyPatch):
    forbid(monkeypatch)
    with pytest.raises(PydanticSerializationError, match="serialised"):
        AudioDelta(response_id="r", output_index=0, item_id="i", delta=b"x").model_dump(mode="json")
    with pytest.raises(AssertionError, match="serialised"):
        orjson.dumps({})
