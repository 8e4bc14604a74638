"""One utterance on its way through the ear: rate, offsets, when to read, and how it sounded. Blocking; one thread at a time.

What is read when: at pauses (by a2llm), when asked, and in mid-speech each time the unread sound has grown by half of what
was read, so that captions run along and the cost stays a constant multiple of one reading.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.incremental import IncrementalTranscriber
from a2llm.listening.listener import Listener, is_guess
from a2llm.listening.transcriber import Transcript
from a2llm.listening.user_affect import UNHEARD, AffectReading, Usual
from a2llm.messages.results import USUAL_RATE_HZ
from a2llm.pcm16 import from_pcm16
from a2llm.resampling import FINE_HALF_WIDTH, Resampler

RATES_HZ = (EAR_RATE_HZ, USUAL_RATE_HZ)
_FIRST_LOOK_S = 0.8
_GROWTH = 0.5
_AFFECT_S = 12  # as much of a turn's end as the affect head takes


@dataclass
class Utterance:
    """Contiguous speech of one user, as far as it has come in."""

    utterance_id: str
    rate_hz: int
    stream: IncrementalTranscriber
    received_samples: int = 0  # at rate_hz
    finished: bool = False
    words: Transcript = field(default_factory=lambda: Transcript("", 0.0, 1.0, 0.0))
    settled_chars: int = 0
    _recent: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # at 16 kHz, the last 12 s

    def __post_init__(self) -> None:
        if self.rate_hz not in RATES_HZ:
            raise ValueError(f"rate_hz must be one of {', '.join(map(str, RATES_HZ))}, not {self.rate_hz}")
        self._resampler = Resampler(self.rate_hz, EAR_RATE_HZ, FINE_HALF_WIDTH, aligned=True)

    def feed(self, pcm16: bytes, words_now: bool, final: bool) -> None:
        """Take more sound and bring `words` up to date. Raises ValueError for half a sample."""
        pcm = self._resampler.push(from_pcm16(pcm16), final)
        self.received_samples += len(pcm16) // 2
        self._recent = np.concatenate([self._recent, pcm])[-_AFFECT_S * EAR_RATE_HZ :]
        self.stream.feed(pcm)
        if final:
            self.words, self.finished = self.stream.finish(), True
        else:
            if self._worth_a_look(words_now):
                self.stream.glimpse()
            self.words = self.stream.running()
        if is_guess(self.words):
            self.words = Transcript("", self.words.avg_logprob, self.words.no_speech_prob, 0.0)
        settled = self.words.text if final else self.stream.settled
        self.settled_chars = min(len(settled), len(self.words.text))

    def _worth_a_look(self, words_now: bool) -> bool:
        enough = max(_FIRST_LOOK_S, _GROWTH * self.stream.read_s)
        return self.stream.unread_s >= enough or (words_now and self.stream.unread_s > 0)

    def affect(self, listener: Listener, usual: Usual) -> tuple[AffectReading, Usual]:
        """How the sound so far was said, and what to hand in with the speaker's next turn."""
        segments = listener.vad.speech_segments(self._recent)
        if not segments:
            return UNHEARD, usual
        return listener.user_affect.follow(self._recent[segments[0].start_samples : segments[-1].end_samples], usual)
