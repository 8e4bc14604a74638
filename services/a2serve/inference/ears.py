"""Ears: one per session, each hearing one utterance at a time. The work runs on the threads of an EarPool, beside the speaking.

An ear is a memory, not a record: it is lost with the replica, and the gateway sends the utterance again (UtteranceUnknown).
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from a2llm.affect import valence_arousal
from a2llm.listening.listener import Listener
from a2llm.listening.user_affect import STRANGER, UNHEARD, AffectReading, Usual
from a2llm.listening.utterance import Utterance
from a2llm.messages import ListenRequest, ListenResult, UtteranceUnknown
from a2serve.inference.ear_pool import EarPool

LONGEST_UTTERANCE_S = 180

Judge = Callable[[str], Awaitable[float]]  # the words so far -> P(the turn ends here)


@dataclass
class _Ear:
    """One session's: how its speaker usually sounds, and the utterance that is being spoken."""

    usual: Usual = STRANGER
    utterance: Utterance | None = None
    reading: AffectReading = UNHEARD
    judged: tuple[str, float | None] = ("", None)
    last: ListenResult | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Ears:
    """All sessions' ears around one listener. `sessions`: of how many the memory is kept."""

    def __init__(self, listener: Listener, judge: Judge, pool: EarPool, sessions: int = 256) -> None:
        self._listener, self._judge, self._pool = listener, judge, pool
        self._most = sessions
        self._ears: OrderedDict[str, _Ear] = OrderedDict()

    async def listen(self, sound: ListenRequest) -> ListenResult:
        """Take new sound. Raises UtteranceUnknown, or ValueError for a request that cannot be right."""
        ear = self._ear(sound.session_id)
        async with ear.lock:
            if ear.last and self._is_repeat(ear, sound):
                return ear.last
            utterance = self._utterance(ear, sound)
            started = time.perf_counter()
            await self._pool.run(lambda: self._hear(ear, utterance, sound))
            turn_end = await self._turn_end(ear, utterance.words.text)
            ear.last = _hearing(ear, utterance, turn_end, (time.perf_counter() - started) * 1000)
            return ear.last

    def forget(self, session_id: str) -> bool:
        """Drop a session's ear; returns whether there was one."""
        return self._ears.pop(session_id, None) is not None

    def close(self) -> None:
        self._pool.close()

    @property
    def sessions(self) -> int:
        return len(self._ears)

    def _ear(self, session_id: str) -> _Ear:
        ear = self._ears.setdefault(session_id, _Ear())
        self._ears.move_to_end(session_id)
        while len(self._ears) > self._most:
            self._ears.popitem(last=False)
        return ear

    @staticmethod
    def _is_repeat(ear: _Ear, sound: ListenRequest) -> bool:
        """True for a final request whose answer got lost."""
        known = ear.utterance
        end = sound.offset_samples + len(sound.pcm16) // 2
        same = known is not None and known.utterance_id == sound.utterance_id and known.received_samples == end
        return same and known is not None and known.finished and sound.final

    def _utterance(self, ear: _Ear, sound: ListenRequest) -> Utterance:
        known = ear.utterance
        if sound.offset_samples == 0:
            known = ear.utterance = Utterance(sound.utterance_id, sound.rate_hz, self._listener.open_stream())
            ear.reading, ear.judged, ear.last = UNHEARD, ("", None), None
        if known is None or known.utterance_id != sound.utterance_id or known.received_samples != sound.offset_samples:
            raise UtteranceUnknown(f"utterance {sound.utterance_id!r} is not known up to sample {sound.offset_samples}: send it from 0")
        if known.finished or known.rate_hz != sound.rate_hz:
            raise ValueError("the utterance is finished" if known.finished else "rate_hz may not change within an utterance")
        if known.received_samples + len(sound.pcm16) // 2 > LONGEST_UTTERANCE_S * known.rate_hz:
            raise ValueError(f"an utterance may last {LONGEST_UTTERANCE_S} s: finish it and begin another")
        return known

    def _hear(self, ear: _Ear, utterance: Utterance, sound: ListenRequest) -> None:
        """Feeds one piece of sound; runs in a thread of the pool."""
        before = utterance.words.text
        utterance.feed(sound.pcm16, sound.words_now, sound.final)
        if utterance.words.text and (sound.final or utterance.words.text != before):
            ear.reading, usual = utterance.affect(self._listener, ear.usual)
            ear.usual = usual if sound.final else ear.usual

    async def _turn_end(self, ear: _Ear, words: str) -> float | None:
        if not words:
            return None
        if ear.judged[0] != words:
            ear.judged = (words, await self._judge(words))
        return ear.judged[1]


def _hearing(ear: _Ear, utterance: Utterance, turn_end: float | None, compute_ms: float) -> ListenResult:
    reading, words = ear.reading, utterance.words
    valence, arousal = valence_arousal(reading.probabilities)
    confidence = math.exp(min(0.0, words.avg_logprob)) if words.text else 0.0
    return ListenResult(
        utterance.utterance_id,
        utterance.received_samples,
        words.text,
        utterance.settled_chars,
        turn_end,
        reading.affect,
        valence,
        arousal,
        reading.confidence,
        confidence,
        compute_ms,
    )
