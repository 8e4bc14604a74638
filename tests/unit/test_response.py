"""The rules of one response: how its text goes on and ends, and what leaves with its frames. No model runs."""

import numpy as np
import pytest
from support.models import tiny

from a2llm.affect import Affect
from a2llm.clock import FrameClock
from a2llm.engine.conversation import Conversation
from a2llm.engine.marks import Marks
from a2llm.engine.media import ResponseMedia
from a2llm.engine.prompt import Prompt
from a2llm.engine.response import Response
from a2llm.engine.slot import Slot
from a2llm.engine.text import RESUMED_AT_ONCE, ResponseText
from a2llm.language.chat import find_persona
from a2llm.language.word_stream import WordStream
from a2llm.messages import AssistantTurn, ResponseOptions, Resume
from a2llm.talker.phones import PhoneStream
from a2llm.talker.stream import TalkerStream
from a2llm.talker.style import Style

END = tiny.tokenizer().turn_end
UNIT = 600


def text(limit: int = 90, resume: Resume | None = None) -> ResponseText:
    return ResponseText(WordStream(tiny.tokenizer()), np.random.default_rng(0), limit, END, resume)


def media(delivered_samples: int = 0) -> ResponseMedia:
    rng = np.random.default_rng(0)
    talker = TalkerStream(PhoneStream(tiny.g2p(), tiny.phones()), Style(), tiny.TALKER, rng, rng)
    return ResponseMedia(talker, tiny.vocoder().start(), FrameClock(), delivered_samples)


def response(limit: int = 90, audio: bool = True) -> Response:
    slot = Slot(tiny.backbone().new_cache(1, 64), 0)
    made = Response(
        Conversation(find_persona("ada"), slot), Prompt([1, 2, 3], [1]), ResponseOptions(audio=audio), text(limit), media(), Marks()
    )
    made.start()
    return made


def say(made: Response, words: str) -> None:
    """Draw the tokens of these words and read them, as the engine does."""
    for token in tiny.tokenizer().encode(words):
        made.take(token)
        made.note_read(np.zeros((1, tiny.HIDDEN), np.float32))


def motion(frames: int) -> np.ndarray:
    return np.arange(frames, dtype=np.float32)[:, None].repeat(61, 1)


@pytest.mark.parametrize(
    ("tokens", "repeats"), [([1, 2, 3, 4, 1, 2, 3, 5, 9, 1, 2, 3], [4, 5]), ([1, 2], []), ([7, 7, 7, 7], [7])], ids=str
)
def test_no_run_of_tokens_comes_twice(tokens: list[int], repeats: list[int]):
    mine = text()
    for token in tokens:
        mine.take(token)
    assert sorted(mine.repeats()) == repeats


def test_the_text_cannot_end_before_its_first_word():
    mine = text()
    assert END in mine.banned(tiny.VOCABULARY)
    mine.add_word("Hello")
    assert END not in mine.banned(tiny.VOCABULARY)


def test_a_text_ends_with_the_end_of_the_turn_or_is_cut_at_the_limit():
    ended, cut = text(), text(limit=2)
    assert [ended.take(token) for token in (5, END)] == [False, True]
    assert [cut.take(token) for token in (5, 6)] == [False, True]
    assert (ended.ended, ended.cut, cut.ended, cut.cut) == (True, False, True, True)
    assert ended.emit_tokens() == cut.emit_tokens() == (5,)  # neither the end nor the token at which it was cut


def test_what_was_drawn_elsewhere_replaces_what_is_drawn_here():
    known = tuple(range(10, 10 + RESUMED_AT_ONCE + 3))
    mine = text(resume=Resume(known, 1, 0))
    assert [mine.take(1), mine.take(1)] == [False, False]
    assert mine.tokens == list(known[:-1])  # the last one is drawn again
    mine.take(known[-1])
    assert (mine.tokens, mine.unread, mine.emit_tokens()) == (list(known), [known[-1]], ())
    mine.take(99)
    assert mine.emit_tokens() == (99,)


def test_a_response_without_words_still_says_something():
    mine = response(limit=1)
    mine.begin(Affect())
    say(mine, "*")
    assert mine.words == ["Hm."]
    assert mine.talker.phones.phones
    assert not mine.done


def test_a_response_reads_its_prompt_then_goes_on_until_it_is_cancelled():
    mine = response()
    assert (mine.text.unread, mine.begun, mine.needs_token, mine.is_low_on_words) == ([1, 2, 3], False, True, False)
    mine.begin(Affect("joy", 0.7))
    assert mine.affect == mine.talker.style.affect == Affect("joy", 0.7)
    assert (mine.begun, mine.needs_token, mine.is_low_on_words) == (True, True, True)
    say(mine, "one two three four five six seven eight")
    assert not mine.is_low_on_words
    mine.cancel()
    assert (mine.over, mine.done, mine.finish_reason) == (True, False, "cancelled")
    assert isinstance(mine.said, AssistantTurn) and mine.said.text.startswith("one two")


def test_text_alone_is_done_with_its_last_token_and_stays_so():
    mine = response(audio=False)
    mine.begin(Affect())
    say(mine, "Hello there")
    first = mine.emit_text()
    mine.take(END)
    last = mine.emit_text()
    assert first and last and (first.text, first.last, last.text, last.last) == ("Hello", False, "there", True)
    mine.cancel()
    assert (mine.done, mine.cancelled, mine.finish_reason) == (True, False, "completed")
    assert len(first.pcm) == len(first.motion) == 0


def test_sound_leaves_with_the_motion_of_the_same_time():
    mine = media()
    assert mine.pair(motion(2), np.zeros(0, np.float32), False) is None  # its sound is not certain yet
    piece = mine.pair(motion(2) + 2, np.ones(3 * UNIT, np.float32), False)
    assert piece and (piece.pts_samples, len(piece.pcm), piece.motion[:, 0].tolist()) == (0, 3 * UNIT, [0, 1, 2])
    rest = mine.pair(motion(2) + 4, np.ones(3 * UNIT, np.float32), True)
    assert rest and (rest.pts_samples, rest.motion[:, 0].tolist()) == (3 * UNIT, [3, 4, 5])
    assert mine.samples == 6 * UNIT


def test_what_the_listener_has_is_not_sent_again():
    mine = media(delivered_samples=3 * UNIT)
    assert mine.pair(motion(2), np.ones(2 * UNIT, np.float32), False) is None
    piece = mine.pair(motion(2) + 2, np.ones(2 * UNIT, np.float32), False)
    assert piece and (piece.pts_samples, len(piece.pcm), piece.motion[:, 0].tolist()) == (3 * UNIT, UNIT, [3])


@pytest.mark.parametrize("name", [name for name in dir(Response) if isinstance(getattr(Response, name), property)])
def test_nobody_outside_changes_a_response_but_by_its_methods(name: str):
    mine = response()
    with pytest.raises(AttributeError):
        setattr(mine, name, None)
    with pytest.raises(AttributeError):
        mine.something_else = 1  # pyright: ignore[reportAttributeAccessIssue]
