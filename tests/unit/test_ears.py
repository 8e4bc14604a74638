"""Ears: one utterance a session, from its first sample on; what is repeated, unknown, finished or too long; and how it is read."""

import asyncio
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from a2llm.affect import Affect
from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.transcriber import Transcript
from a2llm.listening.user_affect import UNHEARD, AffectReading, Usual
from a2llm.listening.utterance import Utterance
from a2llm.messages import ListenRequest, UtteranceUnknown
from a2serve.inference.ear_pool import EarPool
from a2serve.inference.ears import LONGEST_UTTERANCE_S, Ears
from a2serve.inference.metrics import Metrics

SAD = AffectReading(Affect("sadness", 0.7), 0.8, np.array([0.1, 0.0, 0.8, 0.1, 0.0], np.float32))


class Stream:
    """Hears a word for each half second that it was fed, when it is looked at."""

    def __init__(self) -> None:
        self.fed = self.read = self.glimpses = 0
        self.settled = ""

    @property
    def unread_s(self) -> float:
        return (self.fed - self.read) / EAR_RATE_HZ

    @property
    def read_s(self) -> float:
        return self.read / EAR_RATE_HZ

    def feed(self, pcm: np.ndarray) -> None:
        self.fed += len(pcm)

    def glimpse(self) -> None:
        self.glimpses += 1
        self.read = self.fed

    def running(self) -> Transcript:
        return Transcript(" ".join(["word"] * int(2 * self.read_s)), -0.1, 0.0, 0.0)

    def finish(self) -> Transcript:
        self.read = self.fed
        return self.running()


class Listener:
    """A listener whose user always sounds sad."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.vad = SimpleNamespace(speech_segments=lambda pcm: [SimpleNamespace(start_samples=0, end_samples=len(pcm))])
        self.user_affect = SimpleNamespace(follow=lambda pcm, usual: (SAD, Usual(usual.mean, usual.weight + 1)))

    def open_stream(self) -> Stream:
        self.streams.append(Stream())
        return self.streams[-1]


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def pool() -> Iterator[EarPool]:
    made = EarPool(1, Metrics(CollectorRegistry()))
    yield made
    made.close()


def sound(ms: int, offset_ms: int = 0, **values) -> ListenRequest:
    per_ms = EAR_RATE_HZ // 1000
    facts = {"session_id": "s", "utterance_id": "u", "rate_hz": EAR_RATE_HZ} | values
    return ListenRequest(offset_samples=offset_ms * per_ms, pcm16=bytes(2 * ms * per_ms), **facts)


def heard(ears: Ears, *requests: ListenRequest) -> list:
    async def scene() -> list:
        return [await ears.listen(request) for request in requests]

    return asyncio.run(asyncio.wait_for(scene(), 30))


def ears(listener: Listener, pool: EarPool, judged: list[str] | None = None, sessions: int = 256) -> Ears:
    async def judge(words: str) -> float:
        if judged is not None:
            judged.append(words)
        return 0.75

    return Ears(listener, judge, pool, sessions)


def test_words_come_as_it_is_spoken_and_are_judged_once_each(listener: Listener, pool: EarPool) -> None:
    judged: list[str] = []
    mine = ears(listener, pool, judged)
    results = heard(mine, sound(500), sound(500, 500), sound(100, 1000), sound(100, 1100, final=True))
    assert [result.transcript for result in results] == ["", "word word", "word word", "word word"]
    assert [result.turn_end_probability for result in results] == [None, 0.75, 0.75, 0.75] and judged == ["word word"]
    assert [result.received_samples for result in results] == [8000, 16_000, 17_600, 19_200]
    assert results[0].affect == Affect() and results[1].affect == SAD.affect and results[1].affect_confidence == 0.8
    assert results[1].valence < 0 and results[3].stable_chars == len("word word")


def test_words_are_read_now_where_a_pause_asks_for_them(listener: Listener, pool: EarPool) -> None:
    (first, second) = heard(ears(listener, pool), sound(500), sound(100, 500, words_now=True))
    assert (first.transcript, second.transcript) == ("", "word") and listener.streams[0].glimpses == 1


def test_a_lost_answer_to_the_end_is_given_again(listener: Listener, pool: EarPool) -> None:
    first, again = heard(ears(listener, pool), sound(1000, final=True), sound(1000, final=True))
    assert first is again and len(listener.streams) == 1, "it is not heard a second time"
    mine = ears(listener, pool)
    heard(mine, sound(500))
    first, again = heard(mine, sound(500, 500, final=True), sound(500, 500, final=True))
    assert first is again


@pytest.mark.parametrize("request_", [sound(100, 100), sound(100, 600, utterance_id="other"), sound(100, 400)])
def test_what_is_not_known_is_wanted_from_its_beginning(request_: ListenRequest, listener: Listener, pool: EarPool) -> None:
    mine = ears(listener, pool)
    heard(mine, sound(600))
    with pytest.raises(UtteranceUnknown, match="send it from 0"):
        heard(mine, request_)


def test_a_finished_utterance_takes_no_more_and_none_is_endless(listener: Listener, pool: EarPool) -> None:
    mine = ears(listener, pool)
    heard(mine, sound(600, final=True))
    with pytest.raises(ValueError, match="the utterance is finished"):
        heard(mine, sound(100, 600))
    with pytest.raises(ValueError, match=f"an utterance may last {LONGEST_UTTERANCE_S} s"):
        heard(mine, sound(LONGEST_UTTERANCE_S * 1000 + 1))
    heard(mine, sound(100, utterance_id="v"))
    with pytest.raises(ValueError, match="rate_hz may not change"):
        heard(mine, ListenRequest("s", "v", offset_samples=1600, pcm16=bytes(2), rate_hz=24_000))


def test_the_longest_silent_sessions_are_forgotten_first(listener: Listener, pool: EarPool) -> None:
    mine = ears(listener, pool, sessions=2)
    for session in ("a", "b", "a", "c"):
        heard(mine, sound(100, session_id=session))
    assert mine.sessions == 2 and not mine.forget("b") and mine.forget("a") and mine.sessions == 1


def test_an_utterance_is_looked_at_again_when_half_as_much_is_new() -> None:
    stream = Stream()
    spoken = Utterance("u", EAR_RATE_HZ, stream)
    looks = []
    for _ in range(40):
        spoken.feed(bytes(2 * EAR_RATE_HZ // 10), words_now=False, final=False)
        looks.append(stream.glimpses)
    assert looks[6] == 0 and looks[7] == 1, "the first look is at 0.8 s"
    assert looks[-1] <= 5, "captions cost a constant multiple of one reading"


@pytest.mark.parametrize("rate_hz", [8000, 44_100])
def test_another_rate_is_refused(rate_hz: int) -> None:
    with pytest.raises(ValueError, match=f"rate_hz must be one of 16000, 24000, not {rate_hz}"):
        Utterance("u", rate_hz, Stream())


def test_guessed_words_and_silence_say_nothing_of_the_user() -> None:
    class Guess(Stream):
        def running(self) -> Transcript:
            return Transcript("you", -3.0, 0.99, 0.0)

    spoken = Utterance("u", EAR_RATE_HZ, Guess())
    spoken.feed(bytes(2 * EAR_RATE_HZ), words_now=True, final=False)
    assert spoken.words.text == ""
    silent = Listener()
    silent.vad = SimpleNamespace(speech_segments=lambda pcm: [])
    usual = Usual()
    reading, after = spoken.affect(silent, usual)
    assert reading is UNHEARD and after is usual
