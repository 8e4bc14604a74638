"""Responses are made of settings and options, counted for their tenant, and billed with what the user committed."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from support.servers.realtime import Allowance
from support.session import Stage, on_stage

from a2serve.contracts.client_events import ResponseOptions
from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.access.client_secrets import Grant

Scene = Callable[[Stage], Awaitable[None]]
BY_HAND = {"audio": {"input": {"turn_detection": None}}}


def play(scene: Scene, **stage) -> None:
    async def within() -> None:
        async with on_stage(**stage) as made:
            await scene(made)

    asyncio.run(within())


def test_options_go_over_settings_for_one_response():
    async def scene(stage: Stage) -> None:
        first = await stage.start(instructions="Be brief.", metadata={"k": "v"}, output_modalities=["text"])
        asked = stage.avatar.requests[0]
        assert (asked.instructions, asked.options.audio, asked.response_id, asked.session_id) == ("Be brief.", False, first.id, "sess_1")
        stage.parts.floor.cancel_response(None)
        beside = await stage.start(conversation="none")
        asked = stage.avatar.requests[1]
        assert (asked.instructions, asked.options.audio) == ("Be kind.", True)
        assert asked.session_id == f"sess_1.{beside.id}", "it evicts nothing of the conversation"
        assert stage.of("response.created")[0]["response"]["metadata"] == {"k": "v"}

    play(scene, instructions="Be kind.")


def test_what_a_client_secret_fixes_is_fixed_for_responses_too():
    secret = Grant(id="cs_1", tenant="acme", key_id="k", config={"instructions": "Be kind."}, origin=None, expires_at=0)

    async def scene(stage: Stage) -> None:
        with pytest.raises(Problem) as refused:
            await stage.start(instructions="Be rude.")
        assert refused.value.code == Code.FORBIDDEN and not stage.of("response.created")

    play(scene, guard=secret, instructions="Be kind.")


def test_a_response_waits_for_the_words_of_all_that_was_committed():
    async def scene(stage: Stage) -> None:
        for _ in range(2):
            await stage.parts.audio.take_audio(b"\1\0" * 24 * 320)
            stage.parts.audio.commit_input()
        response = await stage.start()
        assert [item.text for item in stage.avatar.requests[0].items] == ["hello there"] * 2
        assert response.input_audio_ms == 640 and response.times.words_ms is not None

    play(scene, **BY_HAND)


def test_a_response_that_its_tenant_may_not_have_is_neither_billed_nor_recorded():
    allowance = Allowance(limit=1)

    async def scene(stage: Stage) -> None:
        await stage.say(await stage.start(), 50, done=True)
        await stage.hear(320)
        stage.parts.audio.commit_input()
        stage.parts.floor.start_response(ResponseOptions())
        await stage.settled()
        done = stage.of("response.done")[-1]["response"]
        assert done["status_details"]["error"]["code"] == "rate_limited" and len(stage.avatar.requests) == 1
        assert stage.core.tally.turns == 2 and stage.core.tally.bill_audio() == 320, "the next one is billed for it"
        assert [event["rate_limits"][0]["remaining"] for event in stage.of("rate_limits.updated")] == [0, 0]

    play(scene, allowance=allowance, **BY_HAND)


@pytest.mark.parametrize("words", ["", "...", "[BLANK_AUDIO]"])
def test_sound_without_words_is_not_answered_with_an_invention(words: str):
    async def scene(stage: Stage) -> None:
        stage.avatar.words = words
        for turn in range(2):
            await stage.parts.audio.take_audio(b"\1\0" * 24 * 320)
            stage.parts.audio.commit_input()
            response = await stage.start()
            given = stage.avatar.requests[turn].options.given
            assert given is not None and given.over and given.text
            await stage.say(response, 50, done=True, text=given.text)
            await stage.pass_ms(100)
        assert stage.avatar.requests[0].options.given != stage.avatar.requests[1].options.given, "said in other words"

    play(scene, **BY_HAND)


def test_what_else_the_user_said_is_answered():
    async def scene(stage: Stage) -> None:
        for words in ("hello there", ""):
            stage.avatar.words = words
            await stage.parts.audio.take_audio(b"\1\0" * 24 * 320)
            stage.parts.audio.commit_input()
            await stage.settled()
        await stage.start()
        assert stage.avatar.requests[0].options.given is None

    play(scene, **BY_HAND)


def test_a_response_with_nothing_to_answer_is_the_models_own():
    async def scene(stage: Stage) -> None:
        await stage.start()
        assert stage.avatar.requests[0].options.given is None

    play(scene, **BY_HAND)
