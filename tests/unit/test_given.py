"""A response with given words: however they come, it is the same stream, and it ends when they are over."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from support.models import tiny

from a2llm.engine import Conversation, Engine, Response, TextSampling, everybody
from a2llm.engine.given import LONGEST_WORD, GivenPieces
from a2llm.language.chat import find_persona
from a2llm.language.spoken_text import to_spoken
from a2llm.messages import MOST_GIVEN_CHARACTERS, Affect, AssistantTurn, GivenWords, ResponseOptions, Resume, StepOutput, UserTurn

HELLO = [UserTurn("Hello")]
WORDS = "Well, **it** costs 4 million euros.\n\nThat is a lot 🙂, is it not?"
AFFECT = Affect("joy", 0.5)


def engine(slots: int = 1, context: int = 512) -> Engine:
    return Engine(tiny.parts(), slots, context, text_sampling=TextSampling(max_tokens=14))


def begin(runner: Engine, words: GivenWords, conversation: Conversation | None = None, **options) -> Response:
    talk = conversation or runner.open_conversation(find_persona("ada"))
    return runner.respond(talk, HELLO, ResponseOptions(1, given=words, **options))


def step(runner: Engine, response: Response, times: int) -> list[StepOutput]:
    return [made for _ in range(times) for owner, made in runner.step(everybody(runner)) if owner is response]


def run(runner: Engine, response: Response) -> list[StepOutput]:
    out: list[StepOutput] = []
    for _ in range(2000):
        if response.over:
            return out
        out += step(runner, response, 1)
    raise AssertionError("the response does not end")


def stream(out: list[StepOutput]) -> tuple[bytes, bytes, str]:
    sound, motion = b"".join(o.pcm.tobytes() for o in out), b"".join(o.motion.tobytes() for o in out)
    return sound, motion, " ".join(o.text for o in out if o.text)


@pytest.fixture(scope="module")
def whole() -> tuple[Response, list[StepOutput]]:
    runner = engine()
    response = begin(runner, GivenWords(WORDS, True))
    return response, run(runner, response)


def test_it_says_the_words_and_the_conversation_holds_them(whole):
    response, out = whole
    assert response.words == to_spoken(WORDS).split()
    assert stream(out)[2] == to_spoken(WORDS)
    assert out[-1].last
    assert response.finish_reason == "completed"
    said = response.said
    assert isinstance(said, AssistantTurn)
    assert said.text == to_spoken(WORDS)
    assert tiny.tokenizer().decode(list(said.tokens)) == WORDS
    assert [token for made in out for token in made.tokens] == list(said.tokens)
    assert response.conversation.cached[-len(said.tokens) :] == list(said.tokens)  # the next turn reads none of them again


@pytest.mark.parametrize("size", [1, 3, 8, 50])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_pieces_and_their_pace_change_nothing(whole, size: int, steps: int):
    runner = engine()
    response = begin(runner, GivenWords())
    out: list[StepOutput] = []
    for at in range(0, len(WORDS), size):
        runner.append(response, WORDS[at : at + size], at)
        out += step(runner, response, steps)
    runner.append(response, "", len(WORDS), over=True)
    assert stream(out + run(runner, response)) == stream(whole[1])
    assert response.tokens == whole[0].tokens


def test_beside_others_it_is_the_same(whole):
    runner = engine(3)
    own = runner.respond(runner.open_conversation(find_persona("ada")), HELLO, ResponseOptions(4))
    response, other = begin(runner, GivenWords(WORDS, True)), begin(runner, GivenWords("Something else. And more of it.", True))
    beside = run(runner, response)
    assert stream(beside)[2] == stream(whole[1])[2]
    for field in ("pcm", "motion"):  # sums of a larger batch may differ in their last bits
        here, alone = (np.concatenate([getattr(o, field) for o in out if len(o.pcm)]) for out in (beside, whole[1]))
        np.testing.assert_allclose(here, alone, atol=1e-4)
    run(runner, own)
    run(runner, other)
    assert own.words
    assert other.words == ["Something", "else.", "And", "more", "of", "it."]


def test_other_words_give_another_voice_and_face(whole):
    runner = engine()
    other = stream(run(runner, begin(runner, GivenWords(WORDS.replace("lot", "bit"), True))))
    assert other[0] != stream(whole[1])[0]
    assert other[1] != stream(whole[1])[1]


def test_it_waits_without_a_word_and_costs_no_pass():
    runner = engine()
    response = begin(runner, GivenWords("Well, this"))
    out = step(runner, response, 60)
    assert out[0].text == ""
    assert not len(out[0].pcm)  # tells that the prompt is read
    assert response.waits_for_words
    assert not response.over
    read = list(response.conversation.cached)
    assert step(runner, response, 5) == []
    assert list(response.conversation.cached) == read
    runner.append(response, " is all.", 10, over=True)
    assert not response.waits_for_words
    run(runner, response)
    assert response.words == ["Well,", "this", "is", "all."]


def test_what_is_there_is_not_added_again_and_a_gap_is_refused():
    runner = engine()
    response = begin(runner, GivenWords("One two"))
    assert runner.append(response, "two three", 4) == 13
    assert runner.append(response, "two", 4) == 13
    with pytest.raises(ValueError, match="begin at 20"):
        runner.append(response, "more", 20)
    assert runner.append(response, "", 13, over=True) == 13
    assert runner.append(response, " behind the end", 13) == 28
    run(runner, response)
    assert response.words == ["One", "two", "three"]


def test_only_given_words_can_be_appended_to():
    runner = engine()
    response = runner.respond(runner.open_conversation(find_persona("ada")), HELLO, ResponseOptions(1))
    with pytest.raises(ValueError, match="itself"):
        runner.append(response, "word")


@pytest.mark.parametrize("words", ["", "🙂 🙂", "```\ncode\n```"])
@pytest.mark.parametrize("late", [False, True])
def test_nothing_to_say_ends_without_a_sound(words: str, late: bool):
    runner = engine()
    response = begin(runner, GivenWords("" if late else words, not late))
    out: list[StepOutput] = []
    if late:
        out += step(runner, response, 3)
        runner.append(response, words, over=True)
    out += step(runner, response, 1) + run(runner, response)
    assert out[-1].last
    assert not sum(len(made.pcm) for made in out)
    assert response.finish_reason == "completed"


def test_text_alone_keeps_the_words_as_written():
    runner = engine()
    response = begin(runner, GivenWords(WORDS, True), audio=False)
    out = run(runner, response)
    assert stream(out)[2] == " ".join(WORDS.split())
    assert not any(len(made.pcm) for made in out)


def test_a_long_text_is_cut_at_half_of_the_context():
    runner = engine(context=128)
    runner_persona = replace(find_persona("ada"), instructions="Be kind.")
    response = begin(runner, GivenWords("word " * 300, True), runner.open_conversation(runner_persona))
    run(runner, response)
    assert response.finish_reason == "max_output_tokens"
    assert 0 < len(response.tokens) <= 64
    assert len(response.conversation.cached) <= 128


def test_it_calls_no_function(whole):
    from a2llm.messages import Tool

    runner = engine()
    response = begin(runner, GivenWords(WORDS, True), tools=(Tool("wait"),), tool_choice="required")
    assert run(runner, response)[-1].function_call is None
    assert response.words == whole[0].words


def test_what_was_lost_elsewhere_goes_on_behind_the_last_sample(whole):
    out = whole[1]
    came = out[: len(out) // 2]
    resume = Resume(
        tuple(token for made in came for token in made.tokens),
        sum(len(made.text.split()) for made in came),
        came[-1].pts_samples + len(came[-1].pcm),
    )
    runner = engine()
    response = begin(runner, GivenWords(WORDS[:20]), resume=resume)
    rest = step(runner, response, 4)
    runner.append(response, WORDS[20:], 20, over=True)
    rest += run(runner, response)
    assert stream(came + rest) == stream(out)
    assert np.concatenate([made.tokens for made in came + rest if made.tokens]).astype(int).tolist() == whole[0].tokens
    assert response.usage.output_audio_ms == whole[0].usage.output_audio_ms


@settings(max_examples=200)
@drawn(st.text(alphabet="ab \n\t.é", max_size=40), st.lists(st.integers(0, 40), max_size=6))
def test_words_are_the_same_for_any_cutting(text: str, cuts: list[int]):
    whole_words = _words([text])
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    assert _words([text[a:b] for a, b in pairwise(places)]) == whole_words
    assert "".join(whole_words).split() == text.split()


def test_long_words_are_cut_and_too_many_characters_end_them():
    pieces = GivenPieces()
    pieces.add("x" * 200, 0)
    assert [len(word) for word in pieces.words(over=True)] == [LONGEST_WORD] * 3 + [200 - 3 * LONGEST_WORD]
    pieces.add("y " * MOST_GIVEN_CHARACTERS, 200)
    assert pieces.too_many
    assert pieces.received == 200 + 2 * MOST_GIVEN_CHARACTERS


def _words(texts: list[str]) -> list[str]:
    pieces, out = GivenPieces(), []
    for text in texts:
        pieces.add(text, pieces.received)
        out += pieces.words(over=False)
    return out + pieces.words(over=True)
