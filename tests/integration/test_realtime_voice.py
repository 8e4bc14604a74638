"""Real speech through the real VAD: turns, barge-in, backchannels, echo, lost ears. The clock is moved by hand."""

import base64

import numpy as np
import pytest
from support.servers.realtime import Client, Script, Stand, run, silence, speech, standing

from a2serve.contracts.session_config import AudioPcma, AudioPcmu
from a2serve.gateway.hearing.audio_formats import decoder_of, encoder_of


async def opened(client: Client, **audio_input) -> None:
    await client.next()
    await client.update(audio={"input": {"transcription": {"model": "any"}, **audio_input}})


async def speaking(stand: Stand, client: Client, played_ms: int) -> None:
    """An answer is being heard, and is at `played_ms`."""
    stand.script.packets = 100
    await client.ask("tell me everything")
    for position_ms in (0, played_ms):  # the clock runs dry when it moves before the lead is sent
        stand.clock.ms += position_ms
        while len(client.of("response.output_audio.delta")) <= (position_ms + 1500) // 50:
            await client.next()


async def played_to_the_end(stand: Stand, client: Client) -> None:
    while not client.of("response.done"):
        stand.clock.ms += 200
        await client.next()
    assert client.of("response.done")[0]["response"]["status"] == "completed"


def test_a_spoken_turn_in_ga_order():
    async def scene() -> None:
        script = Script(packets=4, running="what is", transcripts=["what is the moon"])
        async with standing(script) as stand, stand.connect() as client:
            await opened(client)
            before = len(client.events)
            await client.say(silence(960) + speech() + silence(960))
            await client.until("rate_limits.updated")
            kinds = list(dict.fromkeys(client.kinds()[before:]))
            transcription = "conversation.item.input_audio_transcription."
            expected = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
            assert [kind for kind in kinds if kind in expected] == expected
            assert kinds.index("input_audio_buffer.committed") < kinds.index("conversation.item.added") < kinds.index("response.created")
            assert kinds.index(transcription + "completed") < kinds.index("response.output_item.added")
            started, stopped = client.of(expected[0])[0], client.of(expected[1])[0]
            assert 500 < started["audio_start_ms"] < 1100 and stopped["audio_end_ms"] > started["audio_start_ms"] + 800
            item_id = client.of("conversation.item.added")[0]["item"]["id"]
            assert {started["item_id"], stopped["item_id"], client.of(expected[2])[0]["item_id"]} == {item_id}
            completed = client.of(transcription + "completed")[0]
            assert (completed["item_id"], completed["transcript"]) == (item_id, "what is the moon")
            assert "".join(e["delta"] for e in client.of(transcription + "delta")) == "what is the moon"
            assert script.requests[0].items[0].text == "what is the moon"
            heard = sum(len(listen.pcm16) for listen in script.listens) // 2
            assert abs(heard - completed["usage"]["seconds"] * 24000) < 24 * 40 and script.listens[-1].final
            assert [listen.offset_samples for listen in script.listens] == sorted(listen.offset_samples for listen in script.listens)
            assert stand.memory.turns[0].endpointing_ms >= 500
            assert stand.memory.turns[0].input_audio_ms == int(completed["usage"]["seconds"] * 1000)
            assert client.of("response.done")[0]["response"]["usage"]["input_token_details"]["audio_tokens"] == 0  # it reads words
            await client.send("conversation.item.retrieve", item_id=item_id)
            content = (await client.until("conversation.item.retrieved"))["item"]["content"]
            assert content == [{"type": "input_audio", "transcript": "what is the moon"}]

    run(scene)


def test_a_sound_without_words_gets_no_answer():
    async def scene() -> None:
        async with standing(Script(transcripts=["", "hello there"])) as stand, stand.connect() as client:
            await opened(client)
            await client.say(speech() + silence(960))
            response = (await client.until("response.done"))["response"]
            assert response["status"] == "cancelled" and not stand.script.requests
            await client.say(speech() + silence(960))
            assert (await client.until("response.done"))["response"]["status"] == "completed"

    run(scene)


@pytest.mark.parametrize("probability", [0.95, 0.0])
def test_semantic_turns_end_when_it_sounds_over_or_after_the_wait(probability):
    async def scene() -> None:
        script = Script(packets=2, running="what is the moon", transcripts=["what is the moon"], turn_end=probability)
        async with standing(script) as stand, stand.connect() as client:
            await opened(client, turn_detection={"type": "semantic_vad", "eagerness": "high"})
            await client.say(speech() + silence(640))
            if probability == 0.0:
                assert "input_audio_buffer.committed" not in [e["type"] for e in await client.quiet(0.5)]
                await client.say(silence(1600))
            await client.until("response.done")
            assert [listen.final for listen in script.listens].count(True) == 1

    run(scene)


def test_every_sound_is_billed_once_and_only_with_an_answer():
    async def scene() -> None:
        script = Script(packets=2, transcripts=["one", "two", "three"], refuse=True)
        async with standing(script) as stand, stand.connect() as client:
            await opened(client, turn_detection=None)
            for ms in (1000, 500):
                await client.say(silence(ms))
                await client.send("input_audio_buffer.commit")
                await client.until("input_audio_buffer.committed")
            await client.send("response.create")
            await client.until("response.done")
            script.refuse = False
            part = {"type": "input_audio", "audio": base64.b64encode(silence(250)).decode()}
            await client.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
            await client.until("conversation.item.added")
            options = {"conversation": "none", "input": [{"type": "item_reference", "id": client.events[-1]["item"]["id"]}]}
            for response in (options, {}, {}):
                await client.send("response.create", response=response)
                await client.until("response.done")
        assert [turn.status for turn in stand.memory.turns] == ["failed", "completed", "completed", "completed"]
        assert [turn.input_audio_ms for turn in stand.memory.turns] == [0, 0, 1750, 0]

    run(scene)


def test_who_cuts_what_is_still_playing_is_not_held():
    """The client stopped its player: the next voice is the user's turn and no interruption that has to prove itself."""

    async def scene() -> None:
        async with standing(Script(packets=20, transcripts=["wait stop"])) as stand, stand.connect() as client:
            await opened(client)
            await client.update(a2={})
            await client.ask("hello")
            item_id = (await client.until("response.done"))["response"]["output"][0]["id"]
            await client.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=400)
            assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == 400
            await client.say(speech()[: 48 * 200])
            await client.until("input_audio_buffer.speech_started")
            await client.say(silence(960))
            await client.until("response.done")
            assert "a2.duck" not in client.kinds() and len(client.of("conversation.item.truncated")) == 1
            assert [item.text for item in stand.script.requests[1].items] == ["hello", "one two", "wait stop"]

    run(scene)


def test_push_to_talk():
    async def scene() -> None:
        script = Script(packets=2, transcripts=["what is the moon"])
        async with standing(script) as stand, stand.connect() as client:
            await opened(client, turn_detection=None)
            await client.say(speech())
            await client.send("input_audio_buffer.commit")
            committed = await client.until("input_audio_buffer.committed")
            await client.send("response.create")
            await client.until("response.done")
            assert script.requests[0].items[0].text == "what is the moon"
            assert not client.of("input_audio_buffer.speech_started")
            await client.send("input_audio_buffer.commit", event_id="e1")
            error = (await client.until("error"))["error"]
            assert (error["code"], error["event_id"]) == ("input_audio_buffer_commit_empty", "e1")
            await client.say(speech())
            await client.send("input_audio_buffer.clear")
            await client.until("input_audio_buffer.cleared")
            await client.send("input_audio_buffer.commit")
            assert (await client.until("error"))["error"]["code"] == "input_audio_buffer_commit_empty"
            sound = base64.b64encode(speech()).decode()
            script.transcripts = ["from an item"]
            item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": sound}]}
            await client.send("conversation.item.create", item=item, previous_item_id=committed["item_id"])
            completed = await client.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == "from an item"

    run(scene)


def test_barge_in_cuts_everything_at_the_same_millisecond():
    async def scene() -> None:
        async with standing() as stand, stand.connect() as client:
            await opened(client)
            await client.update(a2={"motion": {"rig": "arkit61", "fps": 30}})
            stand.script.running, stand.script.transcripts = "wait stop", ["wait stop"]
            await speaking(stand, client, 1000)
            await client.say(speech()[: 48 * 640])
            started = await client.until("input_audio_buffer.speech_started")
            at = client.events.index(started)
            done = (await client.until("response.done"))["response"]
            assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
            tail = await client.until("a2.listening.delta")
            assert tail["state"] == "return" and stand.script.idles[-1].state in (3, 1)
            pose = next(idle.start_f16 for idle in stand.script.idles if idle.start_f16)
            assert np.frombuffer(pose, "<f2")[0] == 30  # the frame shown at 1000 ms
            after = client.events[at:]
            assert not [e for e in after if e["type"].endswith((".audio.delta", "motion.delta", "transcript.delta"))]
            assert [e["audio_end_ms"] for e in after if e["type"] == "conversation.item.truncated"] == [1000]
            assert [e["end_ms"] for e in after if e["type"] == "a2.motion.done"] == [1000]
            words = "one two three four five"
            assert [e["transcript"] for e in after if e["type"] == "response.output_audio_transcript.done"] == [words]
            await client.say(speech()[48 * 640 :] + silence(960))
            await client.until("response.output_audio.delta")
            texts = [item.text for item in stand.script.requests[-1].items]
            assert texts == ["tell me everything", words, "wait stop"]
            assert "a2.duck" in client.kinds() and stand.memory.turns[0].cut_ms == 1000

    run(scene)


@pytest.mark.parametrize("sound", ["mhm", "yeah", ""])
def test_a_backchannel_holds_and_resumes_and_loses_nothing(sound):
    async def scene() -> None:
        async with standing(Script(running=sound)) as stand, stand.connect() as client:
            await opened(client)
            await client.update(a2={})
            await speaking(stand, client, 1000)
            await client.say(speech()[: 48 * 500])
            await client.until("a2.duck")
            sent = len(client.of("response.output_audio.delta"))
            stand.clock.ms += 500
            assert not [e for e in await client.quiet(0.2) if "delta" in e["type"]]
            await client.say(silence(1200))
            await client.until("a2.unduck")
            await played_to_the_end(stand, client)
            sound_out = b"".join(base64.b64decode(e["delta"]) for e in client.of("response.output_audio.delta"))
            assert sent < 100 and len(sound_out) == 100 * 2400
            assert not client.of("input_audio_buffer.speech_started") and not client.of("input_audio_buffer.committed")

    run(scene)


def test_the_end_that_is_still_playing_is_cut_too():
    async def scene() -> None:
        async with standing(Script(packets=20, running="wait stop")) as stand, stand.connect() as client:
            await opened(client)
            await client.ask("hello")
            item_id = (await client.until("response.done"))["response"]["output"][0]["id"]
            stand.clock.ms += 500
            await client.say(speech()[: 48 * 640])
            cut = await client.until("conversation.item.truncated")
            assert (cut["item_id"], cut["audio_end_ms"]) == (item_id, 500)
            await client.send("a2.playback", response_id="resp_gone", played_ms=1, state="position")
            await client.send("conversation.item.retrieve", item_id=item_id)
            item = (await client.until("conversation.item.retrieved"))["item"]
            assert item["content"][0]["transcript"] == "one two three"

    run(scene)


def test_the_end_that_is_still_playing_is_cut_although_the_next_response_speaks():
    """After a function call the next response has sent sound ahead, while the last one is still heard."""

    async def scene() -> None:
        async with standing(Script(packets=20, running="wait stop")) as stand, stand.connect() as client:
            await opened(client)
            await client.ask("hello")
            first = (await client.until("response.done"))["response"]["output"][0]["id"]
            stand.script.packets = 100
            await client.send("response.create")
            await client.until("response.output_audio.delta")
            second = client.events[-1]["item_id"]
            stand.clock.ms += 500
            await client.say(speech()[: 48 * 640])
            await client.until("response.done")
            cuts = {event["item_id"]: event["audio_end_ms"] for event in client.of("conversation.item.truncated")}
            assert cuts == {first: 500, second: 0}

    run(scene)


def test_a_response_that_begins_while_somebody_speaks_over_the_end_waits():
    async def scene() -> None:
        async with standing(Script(packets=20, running="mhm")) as stand, stand.connect() as client:
            await opened(client)
            await client.update(a2={})
            await client.ask("hello")
            await client.until("response.done")
            await client.say(speech()[: 48 * 500])
            await client.until("a2.duck")
            await client.send("response.create")
            await client.until("response.created")
            assert not [event for event in await client.quiet(0.3) if event["type"] == "response.output_audio.delta"]
            await client.say(silence(1200))
            await client.until("a2.unduck")
            await client.until("response.output_audio.delta")

    run(scene)


def test_the_players_own_position_decides_what_was_heard():
    async def scene() -> None:
        async with standing(Script(running="wait stop")) as stand, stand.connect() as client:
            await opened(client)
            await speaking(stand, client, 1000)
            response_id = client.of("response.created")[0]["response"]["id"]
            await client.send("a2.playback", response_id=response_id, played_ms=300, state="position")
            await client.say(speech()[: 48 * 640])
            assert (await client.until("conversation.item.truncated"))["audio_end_ms"] == 300

    run(scene)


def test_interrupt_response_false_lets_it_speak():
    async def scene() -> None:
        async with standing(Script(running="wait stop", transcripts=["wait stop"])) as stand, stand.connect() as client:
            await opened(client, turn_detection={"type": "server_vad", "interrupt_response": False})
            await speaking(stand, client, 1000)
            await client.say(speech() + silence(960))
            await client.until("input_audio_buffer.committed")
            await played_to_the_end(stand, client)

    run(scene)


def test_our_own_voice_is_not_the_user():
    async def scene() -> None:
        ours = speech("af_bella_01")
        async with standing(Script(running="wait stop")) as stand, stand.connect() as client:
            await opened(client)
            await speaking(stand, client, 0)
            session = next(iter(stand.service.sessions))
            assert session.core
            session.core.echo.played(ours)  # as if the script had spoken this
            echo = np.frombuffer(ours, "<i2").astype(np.float32) * 0.3
            await client.say(silence(64) + echo.astype("<i2").tobytes() + silence(320))
            assert not [e for e in await client.quiet(1.0) if e["type"] in ("input_audio_buffer.speech_started", "response.done")]

    run(scene)


def test_idle_timeout_prompts_the_user():
    async def scene() -> None:
        detection = {"type": "server_vad", "idle_timeout_ms": 5000}
        async with standing(Script(packets=4)) as stand, stand.connect() as client:
            await opened(client, turn_detection=detection)
            await client.ask("hello")
            await client.until("response.done")
            await client.say(silence(960))
            stand.clock.ms += 400  # played to its end
            await client.quiet(0.3)
            stand.clock.ms += 5001
            timeout = await client.until("input_audio_buffer.timeout_triggered")
            assert timeout["audio_end_ms"] >= timeout["audio_start_ms"]
            assert (await client.until("input_audio_buffer.committed"))["item_id"] == timeout["item_id"]
            await client.until("response.done")
            assert stand.script.requests[1].items[-1].text == "" and stand.script.requests[1].items[-1].role == 2
            (saved,) = stand.memory.saved.values()
            assert timeout["item_id"] in [item["id"] for item in saved.items]

    run(scene)


def test_another_replica_gets_the_utterance_from_the_start():
    async def scene() -> None:
        script = Script(packets=2, transcripts=["what is the moon"])
        async with standing(script) as stand, stand.connect() as client:
            await opened(client, turn_detection=None)
            await client.say(speech()[: 48 * 800])
            while not script.listens:
                await client.quiet(0.05)
            script.forget = True
            await client.say(speech()[48 * 800 :])
            await client.send("input_audio_buffer.commit")
            completed = await client.until("conversation.item.input_audio_transcription.completed")
            assert completed["transcript"] == "what is the moon"
            again = [listen for listen in script.listens[1:] if listen.offset_samples == 0]
            assert again and len(again[0].pcm16) > 48 * 800

    run(scene)


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_telephone_audio_both_ways(kind):
    async def scene() -> None:
        law = AudioPcmu() if kind == "audio/pcmu" else AudioPcma()
        script = Script(packets=4, running="hello", transcripts=["hello there"])
        async with standing(script) as stand, stand.connect() as client:
            await client.next()
            await client.update(audio={"input": {"format": {"type": kind}}, "output": {"format": {"type": kind}}})
            phone = encoder_of(law).encode(speech() + silence(960))
            for at in range(0, len(phone), 160):
                await client.send("input_audio_buffer.append", audio=base64.b64encode(phone[at : at + 160]).decode())
            await client.until("input_audio_buffer.speech_started")
            done = (await client.until("response.done"))["response"]
            assert done["audio"]["output"]["format"] == {"type": kind}
            out = b"".join(base64.b64decode(e["delta"]) for e in client.of("response.output_audio.delta"))
            assert abs(len(out) - 4 * 400) <= 4
            level = np.frombuffer(decoder_of(law).decode(out), "<i2")[2400:4200]
            assert 90 < np.mean(level) < 112  # the script's tone, through 8 bits

    run(scene)
