"""Items in order, cut to what was heard, to the store and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2llm.messages import Affect, AssistantTurn, FunctionCall, ToolResult, UserTurn
from a2serve.contracts.items import ContentPart, FunctionCallOutputItem, MessageItem
from a2serve.contracts.problems import Code, Problem
from a2serve.contracts.session_config import SessionConfig
from a2serve.gateway.conversation.conversation import Conversation, Item, Part, item_from_json, item_of_wire
from a2serve.gateway.conversation.words import Word
from a2serve.gateway.hearing.caption import Caption


def spoken(item_id: str = "a") -> Item:
    words = [Word(0, "one"), Word(200, "two"), Word(400, "three")]
    return Item(item_id, role="assistant", parts=[Part("output_audio", "one two three")], words=words, audio_ms=600)


@pytest.mark.parametrize(
    ("end_ms", "kept", "clamped"), [(0, "", 0), (-5, "", 0), (1, "one", 1), (400, "one two", 400), (9999, "one two three", 600)]
)
def test_a_cut_keeps_what_was_heard(end_ms, kept, clamped):
    item = spoken()
    assert item.cut(end_ms) == clamped
    assert item.transcript() == kept


@given(st.lists(st.integers(-100, 1000), max_size=5))
def test_cuts_only_shrink(cuts):
    item = spoken()
    for cut in cuts:
        before = item.audio_ms
        assert item.cut(cut) <= before
    assert item.audio_ms == max(min([600, *cuts]), 0)


def test_places():
    talk = Conversation(10)
    assert talk.add(Item("b")) is None
    assert talk.add(Item("d")) == "b"
    assert talk.add(Item("c"), "b") == "b"
    assert talk.add(Item("a"), "root") is None
    assert [item.id for item in talk.items] == ["a", "b", "c", "d"]
    assert talk.before("c") == "b"
    talk.remove("b")
    assert talk.before("c") == "a"


@pytest.mark.parametrize(
    ("item", "after", "code"),
    [
        (Item("a"), None, Code.ITEM_EXISTS),
        (Item("x"), "nobody", Code.ITEM_NOT_FOUND),
        (Item("x", "function_call_output", call_id="c"), None, Code.INVALID_CALL_ID),
    ],
)
def test_what_cannot_be_added(item, after, code):
    talk = Conversation(10, [Item("a")])
    with pytest.raises(Problem) as caught:
        talk.add(item, after)
    assert caught.value.code == code and len(talk.items) == 1


def test_it_is_full_at_last():
    talk = Conversation(1, [Item("a")])
    with pytest.raises(Problem) as caught:
        talk.add(Item("b"))
    assert caught.value.code == Code.CONVERSATION_FULL


def test_the_model_reads_what_was_heard_only():
    silent = Item("u", parts=[Part("input_audio", "")])
    unheard = spoken("n")
    unheard.cut(0)
    call = Item("f", "function_call", call_id="c", name="clock", text="{}")
    result = Item("o", "function_call_output", call_id="c", text="noon")
    talk = Conversation(10, [silent, unheard, spoken("s"), call, result, Item("last", parts=[Part("input_audio", "")])])
    assert talk.prompt() == (AssistantTurn("one two three"), FunctionCall("clock", "{}", "c"), ToolResult("noon", "c"), UserTurn(""))


def test_the_store_gives_back_what_it_got():
    item = spoken()
    item.voice_affect, item.sequence = Affect("joy", 0.5), 7
    assert item_from_json(json.loads(json.dumps(item.as_json()))) == item


def test_what_a_newer_gateway_wrote_is_read_as_far_as_it_is_known():
    """After a rollback."""
    item = Item("i", parts=[Part("output_audio", "Hi.")], words=[Word(0.0, "Hi.")], voice_affect=Affect("joy", 0.5))
    body = item.as_json() | {"mood": "new"}
    for known in (*body["parts"], *body["words"], body["voice_affect"]):
        known["newer"] = 1
    assert item_from_json(body) == item
    config = SessionConfig(instructions="Be kind.", max_output_tokens=20)
    stored = config.model_dump(mode="json") | {"newer": {"a": 1}}
    stored["audio"]["input"]["denoise"] = True
    assert SessionConfig.from_store(stored) == SessionConfig.model_validate(config.model_dump(mode="json"))
    with pytest.raises(ValueError, match="denoise"):
        SessionConfig.model_validate(stored)


def test_images_are_refused_clearly():
    message = MessageItem(role="user", content=[ContentPart(type="input_image")])
    with pytest.raises(Problem, match="input_image"):
        item_of_wire(message, "i")
    assert item_of_wire(FunctionCallOutputItem(call_id="c", output="x"), "i").text == "x"


def test_captions_grow_by_whole_words_and_never_change():
    caption = Caption()
    assert caption.delta("what is", 4) == ""  # "what" may still become "whatever"
    assert caption.delta("what is the", 8) == "what is"
    assert caption.delta("whose is the moon", 17) == ""
    assert caption.delta("what is the moon", 16) == " the moon"
