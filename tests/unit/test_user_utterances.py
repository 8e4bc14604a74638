"""The user's utterances: items, words, captions, the bill; and the audio on its way in."""

import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
from support.session import PACKET_MS, Stage, on_stage

from a2llm.messages import Packet
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import AudioPcmu
from a2serve.gateway.hearing.audio_formats import encoder_of
from a2serve.gateway.realtime.limits import SessionLimits
from a2serve.gateway.realtime.session.tally import SessionTally

Scene = Callable[[Stage], Awaitable[None]]
WORDS = {"audio": {"input": {"transcription": {"model": "any"}}}}
BY_HAND = {"audio": {"input": {"transcription": {"model": "any"}, "turn_detection": None}}}
TRANSCRIPTION = "conversation.item.input_audio_transcription"


def play(scene: Scene, **stage) -> None:
    async def within() -> None:
        async with on_stage(**stage) as made:
            await scene(made)

    asyncio.run(within())


def test_an_utterance_becomes_an_item_and_its_words_follow():
    async def scene(stage: Stage) -> None:
        await stage.hear(640)
        assert stage.of("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 0
        await stage.hear(512, loud=False)
        (item,) = [item for item in stage.core.conversation.items if item.role == "user"]
        stopped, committed, completed = (
            stage.of(kind)[0]
            for kind in ("input_audio_buffer.speech_stopped", "input_audio_buffer.committed", f"{TRANSCRIPTION}.completed")
        )
        assert stopped["audio_end_ms"] == 640 and {event["item_id"] for event in (stopped, committed, completed)} == {item.id}
        assert completed["transcript"] == item.transcript() == "hello there"
        assert "".join(event["delta"] for event in stage.of(f"{TRANSCRIPTION}.delta")) == "hello there"
        assert stage.core.responses.own and stage.core.responses.own.input_audio_ms == 1152

    play(scene, **WORDS)


def test_captions_are_only_for_an_utterance_that_was_announced():
    async def scene(stage: Stage) -> None:
        stage.avatar.words = "mhm"
        response = await stage.start()
        await stage.say(response, 500)
        await stage.hear(512)
        await stage.hear(320, loud=False)
        assert not stage.of(f"{TRANSCRIPTION}.delta") and stage.parts.floor.phase == "speaking"

    play(scene, **WORDS)


def test_words_that_cannot_be_had_are_told():
    async def scene(stage: Stage) -> None:
        stage.avatar.deaf = Problem(Code.UNAVAILABLE, "no ears")
        await stage.hear(320)
        stage.parts.audio.commit_input()
        await stage.settled()
        (failed,) = stage.of(f"{TRANSCRIPTION}.failed")
        assert failed["error"]["message"] == "no ears" and failed["item_id"] == stage.of("input_audio_buffer.committed")[0]["item_id"]

    play(scene, **BY_HAND)


def test_a_client_that_finds_turns_itself_commits_and_clears():
    async def scene(stage: Stage) -> None:
        audio = stage.parts.audio
        await stage.hear(320)
        audio.commit_input()
        await stage.hear(320)
        audio.clear_input()
        with pytest.raises(Problem) as empty:
            audio.commit_input()
        await stage.settled()
        assert empty.value.code == Code.COMMIT_EMPTY and len(stage.of("input_audio_buffer.committed")) == 1
        assert not stage.of("input_audio_buffer.speech_started") and not stage.of("response.created")
        assert stage.core.tally.bill_audio() == 320

    play(scene, **BY_HAND)


def test_sound_that_waits_for_its_words_is_bounded():
    async def scene(stage: Stage) -> None:
        for ms in (896, 192):
            await stage.parts.audio.take_audio(b"\1\0" * 24 * ms)
            stage.parts.audio.commit_input()
        await stage.parts.audio.take_audio(b"\1\0" * 24 * 192)
        with pytest.raises(Problem) as full:
            stage.parts.audio.commit_input()
        assert full.value.code == Code.INPUT_BUFFER_FULL, "the words of the others are not known yet"
        await stage.settled()
        stage.parts.audio.commit_input()
        await stage.settled()
        assert len(stage.of("input_audio_buffer.committed")) == 3, "it was not lost"

    play(scene, limits=SessionLimits(max_input_ms=900), **BY_HAND)


def test_a_commit_while_the_user_is_being_judged_lets_the_response_go_on():
    async def scene(stage: Stage) -> None:
        response = await stage.start()
        await stage.say(response, 200)
        await stage.hear(128)
        assert stage.parts.floor.phase == "held"
        stage.parts.audio.commit_input()
        assert stage.parts.floor.phase == "speaking"

    play(scene)


def test_audio_is_read_in_the_format_that_holds_when_it_comes():
    async def scene(stage: Stage) -> None:
        stage.parts.audio.set_format(AudioPcmu())
        loud = (3000 * np.sin(np.arange(24 * 640) / 5)).astype("<i2").tobytes()
        await stage.parts.audio.take_audio(encoder_of(AudioPcmu()).encode(loud))
        await stage.settled()
        assert stage.of("input_audio_buffer.speech_started")

    play(scene)


def test_our_own_sound_that_comes_back_is_no_voice():
    """The avatar's sound goes to the echo gate as it is sent; without it the same sound holds the response."""

    async def heard(stage: Stage, sound: bytes) -> str:
        stage.avatar.words = "mhm"
        response = await stage.start()
        said, size = stage.avatar.packets[response.id], 48 * PACKET_MS
        ours = np.random.default_rng(1).normal(0, 4000, 24 * 1000).astype("<i2").tobytes()
        for at in range(0, len(ours), size):
            said.put_nowait(Packet(response.id, at // 2, pcm16=ours[at : at + size]))
        await stage.settled()
        await stage.parts.audio.take_audio(sound or ours[: 48 * 640])
        await stage.settled()
        return stage.parts.floor.phase

    async def scene(stage: Stage) -> None:
        assert await heard(stage, b"") == "speaking"

    async def control(stage: Stage) -> None:
        somebody = np.random.default_rng(2).normal(0, 4000, 24 * 640).astype("<i2").tobytes()
        assert await heard(stage, somebody) == "held"

    play(scene)
    play(control)


def test_each_sound_is_billed_once():
    tally = SessionTally()
    tally.audio_committed(300)
    tally.audio_committed(200)
    assert (tally.bill_audio(), tally.bill_audio()) == (500, 0)


def test_settings_are_named_once_however_often_they_change():
    tally = SessionTally()
    for names in (["tools"], ["audio", "tools"]):
        tally.settings_changed(names)
    assert (tally.updates, tally.updated) == (2, ("tools", "audio"))
