"""Words and facts that a back-end puts into the running conversation."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import ValidationError
from support.session import Stage, on_stage

from a2llm.messages import MOST_GIVEN_CHARACTERS, GivenWords, SystemText
from a2serve.contracts.client_events import Append
from a2serve.gateway.access.client_secrets import Grant

Scene = Callable[[Stage], Awaitable[None]]


def play(scene: Scene, **stage: Any) -> None:
    async def within() -> None:
        async with on_stage(**stage) as made:
            await scene(made)

    asyncio.run(within())


async def append(stage: Stage, text: str, **fields: Any) -> None:
    await stage.parts.commands.take(Append.model_validate({"text": text, "event_id": "e1"} | fields))
    await stage.settled()


def given(stage: Stage, place: int = -1) -> GivenWords | None:
    words = stage.avatar.given[stage.responses()[place]]
    return words.words if words else None


def errors(stage: Stage) -> list[str]:
    return [event["error"]["code"] for event in stage.of("error")]


def test_a_fact_is_known_to_the_next_answer_and_makes_none():
    async def scene(stage: Stage) -> None:
        await append(stage, "The guest is Ada.")
        assert stage.responses() == []
        assert stage.kinds() == ["conversation.item.added", "conversation.item.done"]
        await stage.start()
        assert stage.avatar.requests[0].items == (SystemText("The guest is Ada."),)
        assert given(stage) is None

    play(scene)


def test_spoken_words_are_a_response_and_stay_in_the_conversation():
    async def scene(stage: Stage) -> None:
        await append(stage, "I have found it.", spoken=True)
        assert given(stage) == GivenWords("I have found it.", True)
        (response,) = stage.core.responses.in_progress
        await stage.say(response, 100, done=True, text="I have found it.")
        assert stage.ended(response)["status"] == "completed"
        assert stage.core.conversation.last_assistant_text() == "I have found it."

    play(scene)


def test_pieces_with_one_id_are_one_response():
    async def scene(stage: Stage) -> None:
        await append(stage, "There are ", spoken=True, append_id="a", over=False)
        await append(stage, "two ", spoken=True, append_id="a", over=False)
        assert given(stage) == GivenWords("There are two ", False)
        await append(stage, "left.", spoken=True, append_id="a")
        assert given(stage) == GivenWords("There are two left.", True)
        assert len(stage.responses()) == 1
        await append(stage, "more", spoken=True, append_id="a")
        assert errors(stage) == ["response_cancel_not_active"]

    play(scene)


def test_what_comes_behind_an_interruption_is_refused_and_other_words_begin_anew():
    async def scene(stage: Stage) -> None:
        await append(stage, "There are ", spoken=True, append_id="a", over=False)
        stage.parts.floor.cancel_response(None)
        await append(stage, "two.", spoken=True, append_id="a")
        assert errors(stage) == ["response_cancel_not_active"]
        assert stage.of("error")[0]["error"]["event_id"] == "e1"
        await append(stage, "Sorry.", spoken=True, append_id="b")
        assert len(stage.responses()) == 2
        assert given(stage) == GivenWords("Sorry.", True)

    play(scene)


def test_beside_another_response_only_facts_are_taken():
    async def scene(stage: Stage) -> None:
        await stage.start()
        await append(stage, "Word.", spoken=True)
        assert errors(stage) == ["conversation_already_has_active_response"]
        await append(stage, "A fact.")
        assert stage.core.conversation.items[-1].transcript() == "A fact."

    play(scene)


def test_where_instructions_are_fixed_nothing_is_put_in():
    secret = Grant(id="cs_1", tenant="acme", key_id="k", config={"instructions": "Be kind."}, origin=None, expires_at=0)

    async def scene(stage: Stage) -> None:
        await append(stage, "You are a pirate.")
        await append(stage, "Arr.", spoken=True)
        assert errors(stage) == ["forbidden", "forbidden"]
        assert stage.core.conversation.items == []

    play(scene, guard=secret, instructions="Be kind.")


def test_words_of_a_response_are_bounded():
    async def scene(stage: Stage) -> None:
        for _ in range(MOST_GIVEN_CHARACTERS // 16_000 + 1):
            await append(stage, "x" * 16_000, spoken=True, append_id="a", over=False)
        assert errors(stage) == ["invalid_value"]
        words = given(stage)
        assert words is not None
        assert len(words.text) == MOST_GIVEN_CHARACTERS

    play(scene)


@pytest.mark.parametrize(
    "fields", [{"spoken": True, "over": False}, {"over": False}, {"text": " "}, {"text": "x" * 16_001}, {"append_id": ""}]
)
def test_events_that_cannot_be(fields: dict[str, Any]):
    with pytest.raises(ValidationError):
        Append.model_validate({"text": "word"} | fields)
