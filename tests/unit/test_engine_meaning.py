"""An engine whose talker infers meaning: which words of the user's it responds to, its own moving affect, strength and voice.

Whatever was cached, cut, interrupted or spilled before, a response is made from the states of the user's last words.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.affect import Affect
from a2llm.engine import Conversation, Engine, Response, TextSampling, everybody
from a2llm.language.chat import find_persona
from a2llm.language.torch_backbone import TorchBackbone
from a2llm.messages import AssistantTurn, FunctionCall, Item, ResponseOptions, Resume, StepOutput, ToolResult, UserTurn
from a2llm.talker.connector import WordMeanings

SHORT = TextSampling(max_tokens=14)
ADA = find_persona("ada")
HELLO = UserTurn("How are you today, my friend?")
SAD = UserTurn("My dog ran away", Affect("sadness", 0.7))


def engine(slots: int = 1, config=tiny.MEANING) -> Engine:
    return Engine(tiny.parts("openvino", config), slots, 512, text_sampling=SHORT)


def talk(runner: Engine, key: str = "") -> Conversation:
    return runner.open_conversation(ADA, key)


def run(runner: Engine, *responses: Response) -> list[list[StepOutput]]:
    out: list[list[StepOutput]] = [[] for _ in responses]
    while not all(response.over for response in responses):
        for owner, output in runner.step(everybody(runner)):
            if owner in responses:
                out[responses.index(owner)].append(output)
    return out


def respond(runner: Engine, conversation: Conversation, items: list[Item], **options) -> tuple[Response, list[StepOutput]]:
    response = runner.respond(conversation, items, ResponseOptions(1, **options))
    return response, run(runner, response)[0]


def wanted(response: Response) -> np.ndarray:
    """States of the user's last words in a reading of the whole prompt at once."""
    states = tiny.backbone(tiny.MEANING.depths).forward(torch.tensor([response.prompt.ids]))[0]
    return states[list(response.prompt.heard)].numpy()


def assert_heard(response: Response) -> None:
    held = response.conversation.slot.states
    assert sorted(held) == list(response.prompt.heard)
    np.testing.assert_allclose(np.stack([held[place] for place in response.prompt.heard]), wanted(response), atol=1e-4)
    reference = WordMeanings(tiny.talker(tiny.MEANING).connector, tiny.MEANING)
    reference.hear(wanted(response))
    torch.testing.assert_close(response.talker.words._user.keys, reference._user.keys, atol=1e-4, rtol=1e-3)
    assert torch.equal(response.talker.words._heard, reference._heard)


@pytest.mark.parametrize("user", [HELLO, SAD, UserTurn("Hi"), UserTurn("one " * 50)], ids=lambda user: user.text[:8])
def test_it_hears_the_words_of_a_turn(user: UserTurn):
    runner = engine()
    response, _ = respond(runner, talk(runner), [user])
    assert len(response.prompt.heard) == min(32, len(user.text.split()) + 2 * bool(user.voice_affect))
    assert_heard(response)


def test_a_turn_without_words_is_heard_as_nothing():
    runner = engine()
    response, out = respond(runner, talk(runner), [UserTurn("")])
    assert response.prompt.heard == () and out[-1].last
    assert not response.talker.words._heard.any()


def test_it_hears_the_last_turn_on_a_warm_cache_and_again_when_it_is_asked_again():
    runner = engine()
    mine = talk(runner)
    runner.warm_up(mine)
    first, _ = respond(runner, mine, [HELLO])
    items = [HELLO, first.said, SAD]
    for _ in range(2):
        response, _ = respond(runner, mine, items)
        assert_heard(response)
    assert response.usage.cached_tokens == response.usage.input_tokens - 1, "nothing but the last id was read again"


def test_it_still_hears_the_user_behind_a_tools_result():
    runner = engine()
    mine = talk(runner)
    respond(runner, mine, [HELLO, AssistantTurn("Well."), SAD])
    response, _ = respond(runner, mine, [HELLO, AssistantTurn("Well."), SAD, FunctionCall("look", "{}"), ToolResult("nothing there")])
    assert_heard(response)
    assert response.usage.cached_tokens > response.prompt.heard[-1], "the user's turn was not read again"


def test_it_hears_the_turn_that_interrupted():
    runner = engine()
    mine = talk(runner)
    cut = runner.respond(mine, [HELLO], ResponseOptions(1))
    for _ in range(12):
        runner.step(everybody(runner))
    runner.cancel(cut)
    response, _ = respond(runner, mine, [HELLO, cut.said, SAD])
    assert_heard(response)


def test_it_hears_the_user_after_its_slot_was_taken_and_given_back():
    runner = engine()
    runner.keep_prefixes(1000)
    mine = talk(runner, "mine")
    respond(runner, mine, [SAD])
    runner.spill_conversation(mine)
    other = talk(runner)
    respond(runner, other, [HELLO])
    runner.close_conversation(other)
    response, _ = respond(runner, talk(runner, "mine"), [SAD, FunctionCall("look", "{}"), ToolResult("nothing there")])
    assert_heard(response)
    assert response.usage.cached_tokens > response.prompt.heard[-1]


def test_a_long_prompt_is_heard_in_pieces(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TorchBackbone, "tokens_at_once", 16)
    long = [UserTurn("word " * 60), AssistantTurn("Yes."), UserTurn("and " * 40)]
    runner = engine()
    response, _ = respond(runner, talk(runner), long)
    assert_heard(response)


def test_company_changes_no_bit_of_what_words_mean():
    turns, together = [HELLO, SAD, UserTurn("one " * 50)], engine(3)
    responses = [together.respond(talk(together), [turn], ResponseOptions(seed)) for seed, turn in enumerate(turns)]
    outputs = run(together, *responses)
    for seed, (turn, response, out) in enumerate(zip(turns, responses, outputs, strict=True)):
        alone = engine()
        single = alone.respond(talk(alone), [turn], ResponseOptions(seed))
        [by_itself] = run(alone, single)
        assert (single.tokens, single.talker.durations) == (response.tokens, response.talker.durations)
        np.testing.assert_allclose(single.talker.words.meanings, response.talker.words.meanings, atol=1e-4)
        assert [o.affect for o in out] == [o.affect for o in by_itself]
        for one, two in zip(out, by_itself, strict=True):
            assert np.allclose(one.motion, two.motion, atol=1e-5)


def test_the_talkers_runtimes_say_the_same():
    made = []
    for runtime in ("openvino", "torch"):
        runner = Engine(tiny.parts(runtime, tiny.MEANING), 1, 512, text_sampling=SHORT)
        made.append(respond(runner, talk(runner), [SAD])[1])
    assert all(np.allclose(one.motion, two.motion, atol=1e-5) for one, two in zip(*made, strict=True))


def test_what_was_asked_matters_with_the_same_words():
    """The same tokens after another question: another meaning."""
    runner = engine(2)
    first, _ = respond(runner, talk(runner), [HELLO])
    again, _ = respond(runner, talk(runner), [SAD], resume=Resume(tuple(first.tokens[:-1]), 0, 0))
    assert again.words[:2] == first.words[:2]
    assert not np.allclose(again.talker.words.meanings[0], first.talker.words.meanings[0], atol=1e-3)


def test_an_affect_is_inferred_and_reported_where_it_moves():
    runner = engine()
    response, out = respond(runner, talk(runner), [SAD])
    assert response.talker.style.affect is None
    reported = [o.affect for o in out if o.affect]
    assert out[0].affect and len(reported) >= 1
    for one, two in pairwise(reported):
        assert one.category != two.category or abs(one.intensity - two.intensity) >= 0.1
    assert response.affect == Affect.from_vector(np.mean(response.talker.words.affects, 0))
    assert len(response.talker.words.affects) == len(response.words)


def test_an_affect_can_be_asked_for():
    runner = engine(2)
    response, out = respond(runner, talk(runner), [SAD], affect=Affect("joy", 0.9))
    own, inferred = respond(runner, talk(runner), [SAD])
    assert response.affect == response.talker.style.affect == Affect("joy", 0.9)
    assert [o.affect for o in out if o.affect] == [Affect("joy", 0.9)]
    assert own.tokens == response.tokens and not all(np.array_equal(a.motion, b.motion) for a, b in zip(out, inferred, strict=False))


def test_a_lost_response_goes_on_without_an_affect_that_nobody_asked_for():
    runner = engine(2)
    response, whole = respond(runner, talk(runner), [SAD])
    at = len(whole) // 2
    had = whole[:at]
    tokens, words = tuple(t for out in had for t in out.tokens), sum(len(out.text.split()) for out in had)
    resume = Resume(tokens, words, whole[at].pts_samples, whole[0].affect)
    again, rest = respond(runner, talk(runner), [SAD], resume=resume)
    assert (again.tokens, again.talker.style.affect, rest[0].affect) == (response.tokens, None, None)
    for one, two in zip(rest, whole[at:], strict=True):
        assert np.allclose(one.motion, two.motion, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "persona", "strength", "voice"),
    [
        ({}, ADA, 1.0, 0),
        ({}, replace(ADA, expressiveness=0.5, voice="michael"), 0.5, 1),
        ({"expressiveness": 0.0, "voice": "heart"}, replace(ADA, expressiveness=0.5, voice="michael"), 0.0, 0),
        ({}, replace(ADA, voice="a voice of other weights"), 1.0, 0),
    ],
)
def test_strength_and_voice_are_the_requests_or_the_personas(options: dict, persona, strength: float, voice: int):
    runner = engine()
    response = runner.respond(runner.open_conversation(persona), [HELLO], ResponseOptions(1, **options))
    assert (response.talker.style.expressiveness, response.talker.style.voice) == (strength, voice)


def test_strength_and_voice_are_heard():
    made = []
    for options in ({}, {"expressiveness": 1.5}, {"voice": "michael"}):
        runner = engine()
        made.append(respond(runner, talk(runner), [HELLO], **options)[0].talker.durations)
    runner = engine()
    assert made[0] == respond(runner, talk(runner), [HELLO])[0].talker.durations
    assert made[0] != made[1] and made[0] != made[2]


def test_a_voice_that_nobody_has_is_refused():
    runner = engine()
    with pytest.raises(ValueError, match="unknown voice 'nobody'"):
        runner.respond(talk(runner), [HELLO], ResponseOptions(voice="nobody"))


def test_weights_without_a_connector_hear_nothing_and_choose_one_affect():
    runner = engine(2, tiny.TALKER)
    response, out = respond(runner, talk(runner), [SAD])
    assert response.prompt.heard == () and response.talker.style.affect == response.affect
    assert [o.affect is not None for o in out] == [True] + [False] * (len(out) - 1)
    again, rest = respond(runner, talk(runner), [SAD], resume=Resume(affect=Affect("joy", 0.9)))
    assert again.affect == Affect("joy", 0.9) and rest[0].affect is None
