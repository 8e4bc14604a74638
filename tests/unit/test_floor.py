"""The floor, with the real turn machine, real responses and utterances, a clock moved by hand."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.session import Stage, on_stage

from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.server_events import StatusDetails, StatusError
from a2serve.gateway.realtime.limits import SessionLimits

Scene = Callable[[Stage], Awaitable[None]]
NO_RESPONSE = {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False, "idle_timeout_ms": 5000}}}}


def play(scene: Scene, **stage) -> None:
    async def within() -> None:
        async with on_stage(**stage) as made:
            await scene(made)

    asyncio.run(within())


def test_one_response_for_the_conversation_and_a_few_beside_it():
    async def scene(stage: Stage) -> None:
        await stage.start()
        with pytest.raises(Problem) as own:
            await stage.start()
        await stage.start(conversation="none")
        with pytest.raises(Problem) as beside:
            await stage.start(conversation="none")
        assert (own.value.code, beside.value.code) == (Code.RESPONSE_ACTIVE, Code.RATE_LIMITED)

    play(scene, limits=SessionLimits(parallel_responses=1))


def test_the_floor_is_free_when_the_last_sound_was_played():
    async def scene(stage: Stage) -> None:
        response = await stage.start()
        assert stage.parts.floor.phase == "thinking"
        await stage.say(response, 500, done=True)
        assert stage.ended(response)["status"] == "completed" and stage.parts.floor.phase == "speaking"
        await stage.pass_ms(499)
        assert stage.parts.floor.phase == "speaking" and stage.parts.floor.avatar_is_heard
        await stage.pass_ms(1)
        assert stage.parts.floor.phase == "idle" and not stage.parts.floor.avatar_is_heard

    play(scene)


def test_a_voice_holds_the_response_and_a_backchannel_lets_it_go_on():
    async def scene(stage: Stage) -> None:
        stage.avatar.words = "mhm"
        response = await stage.start()
        await stage.say(response, 200)
        await stage.hear(96)
        assert stage.parts.floor.phase == "held"
        await stage.say(response, 200)
        assert len(stage.of("response.output_audio.delta")) == 4, "what is made meanwhile waits"
        await stage.hear(320, loud=False)
        assert stage.parts.floor.phase == "speaking" and len(stage.of("response.output_audio.delta")) == 8
        assert stage.kinds("a2.duck", "a2.unduck", "input_audio_buffer.speech_started") == ["a2.duck", "a2.unduck"]
        assert {event["response_id"] for event in stage.of("a2.duck") + stage.of("a2.unduck")} == {response.id}

    play(scene, a2={})


def test_who_says_something_takes_the_floor():
    async def scene(stage: Stage) -> None:
        stage.avatar.words = "wait, stop"
        response = await stage.start()
        await stage.say(response, 1000)
        await stage.pass_ms(300)
        await stage.hear(512)
        assert stage.ended(response)["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
        assert stage.parts.floor.phase == "listening"
        assert [event["audio_end_ms"] for event in stage.of("conversation.item.truncated")] == [response.cut_ms]
        await stage.hear(512, loud=False)
        assert stage.avatar.requests[-1].items[-1].text == "wait, stop" and stage.parts.floor.phase == "thinking"

    play(scene)


def test_a_response_that_begins_while_the_user_is_being_judged_waits():
    async def scene(stage: Stage) -> None:
        stage.avatar.words = "mhm"
        first = await stage.start()
        await stage.say(first, 1000, done=True)
        await stage.hear(96)
        assert stage.parts.floor.phase == "held"
        second = await stage.start()
        await stage.say(second, 100)
        assert not second.spoke
        await stage.hear(320, loud=False)
        assert second.spoke

    play(scene)


def test_what_is_queued_behind_a_tail_is_cut_with_it():
    """A response ended, its last second still plays, and the next one has already sent sound: neither was heard to its end."""

    async def scene(stage: Stage) -> None:
        stage.avatar.words = "wait, stop"
        first = await stage.start()
        await stage.say(first, 1000, done=True, text="first")
        second = await stage.start()
        await stage.say(second, 300, text="second")
        assert second.spoke and [response.id for response in stage.core.responses.playing] == [first.id, second.id]
        await stage.pass_ms(200)
        await stage.hear(384)
        cuts = {event["item_id"]: event["audio_end_ms"] for event in stage.of("conversation.item.truncated")}
        assert 200 < cuts[first.items[0].id] < 1000 and cuts[second.writer.items[0].id] == 0
        assert [item.transcript() for item in stage.core.conversation.items if item.role == "assistant"] == ["first", ""]
        assert stage.ended(second)["status"] == "cancelled" and not stage.core.responses.playing

    play(scene)


def test_a_tail_is_over_when_it_was_played_although_another_response_speaks():
    async def scene(stage: Stage) -> None:
        first = await stage.start()
        await stage.say(first, 400, done=True)
        second = await stage.start()
        await stage.say(second, 400)
        assert first.trace.open
        await stage.pass_ms(400)
        assert not first.trace.open, "its trace has ended"
        assert stage.core.responses.playing == [second] and second.pacer.played_ms() == 0
        await stage.pass_ms(100)
        assert second.pacer.played_ms() == 100

    play(scene)


def test_a_third_response_counts_on_all_that_is_still_to_be_heard():
    async def scene(stage: Stage) -> None:
        for _ in range(2):
            await stage.say(await stage.start(), 400, done=True)
        third = await stage.start()
        await stage.say(third, 200)
        await stage.pass_ms(800)
        assert third.pacer.played_ms() == 0
        await stage.pass_ms(50)
        assert third.pacer.played_ms() == 50

    play(scene)


def test_a_client_that_cuts_a_tail_leaves_the_floor_to_the_response_after_it():
    async def scene(stage: Stage) -> None:
        first = await stage.start()
        await stage.say(first, 1000, done=True)
        second = await stage.start()
        stage.parts.floor.truncate_item(first.items[0], 300)
        assert (stage.parts.floor.phase, first.cut_ms, first.trace.open) == ("thinking", 300, False)
        await stage.hear(512)
        await stage.hear(512, loud=False)
        assert not stage.of("error"), "a second response would be refused"
        assert stage.core.responses.own is not second, "what the user said took the floor"

    play(scene)


def test_a_client_that_truncates_what_is_being_made_ends_it():
    async def scene(stage: Stage) -> None:
        response = await stage.start()
        await stage.say(response, 500)
        stage.parts.floor.truncate_item(response.items[0], 200)
        await stage.settled()
        assert stage.ended(response)["status_details"]["reason"] == "client_cancelled"
        assert stage.parts.floor.phase == "idle" and stage.of("conversation.item.truncated")[-1]["audio_end_ms"] == 200

    play(scene)


def test_a_client_cancels_by_id_or_the_conversations_own():
    async def scene(stage: Stage) -> None:
        floor, own = stage.parts.floor, await stage.start()
        beside = await stage.start(conversation="none")
        await stage.say(own, 500)
        floor.note_playback(own.id, 120, finished=False)
        floor.cancel_response(beside.id)
        floor.cancel_response(None)
        await stage.settled()
        assert own.cut_ms == 120, "as its player said"
        assert stage.ended(beside)["status"] == stage.ended(own)["status"] == "cancelled" and floor.phase == "idle"
        assert stage.avatar.released == [f"sess_1.{beside.id}"]
        for response_id in (None, own.id):
            with pytest.raises(Problem) as refused:
                floor.cancel_response(response_id)
            assert refused.value.code == Code.CANCEL_NOT_ACTIVE

    play(scene)


def test_a_player_that_reports_a_tail_finished_ends_it():
    async def scene(stage: Stage) -> None:
        response = await stage.start()
        await stage.say(response, 1000, done=True)
        stage.parts.floor.note_playback("resp_gone", 5, finished=True)
        stage.parts.floor.note_playback(response.id, 0, finished=True)
        await stage.pass_ms(0)
        assert stage.parts.floor.phase == "idle"

    play(scene)


def test_a_hold_that_ends_with_its_response_is_told():
    async def scene(stage: Stage) -> None:
        response = await stage.start()
        await stage.say(response, 200)
        await stage.pass_ms(200)
        await stage.hear(96)
        await stage.fail(response, Problem(Code.UNAVAILABLE, "gone"))
        await stage.pass_ms(100)
        assert stage.ended(response)["status"] == "failed"
        heard = stage.kinds("a2.duck", "a2.unduck", "input_audio_buffer.speech_started")
        assert heard == ["a2.duck", "a2.unduck", "input_audio_buffer.speech_started"]

    play(scene, a2={})


def test_an_utterance_without_words_is_not_answered():
    async def scene(stage: Stage) -> None:
        stage.avatar.words = ""
        await stage.hear(512)
        await stage.hear(512, loud=False)
        (done,) = stage.of("response.done")
        assert done["response"]["status_details"]["reason"] == "turn_detected" and not stage.avatar.requests
        assert stage.parts.floor.phase == "idle" and not stage.memory.turns

    play(scene)


def test_a_response_fails_with_the_transcription_that_it_waits_for():
    async def scene(stage: Stage) -> None:
        stage.avatar.deaf = Problem(Code.UNAVAILABLE, "no ears")
        await stage.hear(512)
        await stage.hear(512, loud=False)
        (done,) = stage.of("response.done")
        assert done["response"]["status_details"]["error"]["message"] == "no ears"
        assert stage.core.tally.bill_audio() > 500, "the next response is billed for it"

    play(scene)


def test_after_an_interruption_nobody_is_prompted_while_the_user_has_the_floor():
    async def scene(stage: Stage) -> None:
        stage.avatar.words = "wait, stop"
        response = await stage.start()
        await stage.say(response, 1000)
        await stage.hear(512)
        await stage.hear(512, loud=False)
        assert stage.ended(response)["status"] == "cancelled"
        await stage.pass_ms(6000)
        assert not stage.of("input_audio_buffer.timeout_triggered")

    play(scene, **NO_RESPONSE)


def test_who_is_silent_for_long_is_prompted():
    async def scene(stage: Stage) -> None:
        response = await stage.start()
        await stage.say(response, 200, done=True)
        await stage.pass_ms(200)
        await stage.pass_ms(5001)
        (timeout,) = stage.of("input_audio_buffer.timeout_triggered")
        assert stage.of("input_audio_buffer.committed")[0]["item_id"] == timeout["item_id"]
        assert stage.avatar.requests[-1].items[-1].text == "" and stage.parts.floor.phase == "thinking"

    play(scene, **NO_RESPONSE)


def test_what_the_end_of_the_session_cuts_says_why_and_nothing_begins_after_it():
    async def scene(stage: Stage) -> None:
        tail = await stage.start()
        await stage.say(tail, 300, done=True)
        own, beside = await stage.start(), await stage.start(conversation="none")
        await stage.say(own, 200)
        await stage.say(beside, 200)
        error = StatusError(type="server_error", code="session_expired", message="going away")
        stage.parts.floor.close(StatusDetails(type="incomplete", error=error))
        await stage.settled()
        for response in (own, beside):
            assert stage.ended(response)["status_details"]["error"]["code"] == "session_expired"
        assert stage.ended(tail)["status"] == "completed" and tail.cut_ms is None and not tail.trace.open
        assert [facts.status for facts in stage.memory.turns] == [] and not stage.core.responses.in_progress
        with pytest.raises(Problem) as refused:
            await stage.start()
        assert refused.value.code == Code.SESSION_EXPIRED

    play(scene)


def test_a_response_beside_the_conversation_leaves_the_floor_alone():
    async def scene(stage: Stage) -> None:
        beside = await stage.start(conversation="none")
        await stage.say(beside, 300)
        assert stage.parts.floor.phase == "idle" and not stage.parts.floor.avatar_is_heard
        await stage.hear(96)
        assert stage.of("input_audio_buffer.speech_started"), "nothing has to be held"
        await stage.say(beside, 50, done=True)
        assert stage.ended(beside)["status"] == "completed" and not stage.core.conversation.holds(beside.items[0])

    play(scene)
