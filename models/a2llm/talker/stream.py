"""One reply on its way through the talker: words come in, frames go out as soon as they may.

Holds everything that belongs to one stream and nothing that belongs to a batch; `Talker.step` runs many
streams at once.
"""

from dataclasses import dataclass, field

import numpy as np
import torch

from a2llm.affect import Affect
from a2llm.talker.config import (DURATION_AFTER, DURATION_BEFORE, DURATION_CLASSES, DURATION_HISTORY,
                                 SamplingConfig, TalkerConfig)
from a2llm.talker.frame_inputs import frame_inputs, frames_ready
from a2llm.talker.model import FrameBatch, Talker
from a2llm.talker.phones import PhoneStream
from a2llm.language.sampling import sample_top_p


@dataclass(frozen=True)
class Timing:
    """When something is spoken, in motion-frame units from the reply's start."""

    symbol: str
    start: int
    end: int


@dataclass
class TalkerStream:
    """Text side of one reply: its phones, their durations and the hidden states of its words."""

    phones: PhoneStream
    affect: Affect
    config: TalkerConfig
    rng: np.random.Generator
    durations: list[int] = field(default_factory=list)
    hidden: list[np.ndarray] = field(default_factory=list)
    frame: int = 0

    def push_word(self, word: str, hidden: np.ndarray) -> None:
        """One whole word of the reply and the backbone's hidden state [D] at its end."""
        self.hidden.append(hidden.astype(np.float32))
        self.phones.push_word(word)

    def end_text(self) -> None:
        self.phones.end()

    @property
    def finished(self) -> bool:
        return self.phones.ended and self.frame >= self._ready()

    @property
    def waiting(self) -> bool:
        """Needs more words before the next frame."""
        return not self.phones.ended and self.frame >= self._ready()

    def _ready(self) -> int:
        timed_all = self.phones.ended and len(self.durations) == len(self.phones.phones)
        return frames_ready(np.asarray(self.durations, np.int64), timed_all)

    def untimed(self) -> bool:
        """A phone's whole context is known and it has no duration yet."""
        have = len(self.phones.phones)
        reach = have if self.phones.ended else have - DURATION_AFTER
        return len(self.durations) < reach

    def duration_context(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Phones [11], past durations [4] and hidden state of the next phone to be timed."""
        index = len(self.durations)
        around = range(index - DURATION_BEFORE, index + DURATION_AFTER + 1)
        known = self.phones.phones
        phones = [known[i] if 0 <= i < len(known) else 0 for i in around]
        past = ([0] * DURATION_HISTORY + self.durations)[-DURATION_HISTORY:]
        return np.asarray(phones), np.asarray(past), self._hidden(self.phones.words[index])

    def _hidden(self, word: int) -> np.ndarray:
        if 0 <= word < len(self.hidden):
            return self.hidden[word]
        return np.zeros(self.config.hidden_size, np.float32)

    def words_begun(self) -> int:
        """How many words have begun by the end of the frames asked for so far."""
        if self.finished:
            return len(self.hidden)
        begun, units = 0, 2 * self.frame
        for word, start in zip(self.phones.words, np.cumsum([0, *self.durations])[:-1], strict=False):
            if start >= units:
                break
            begun = word + 1
        return begun

    def phone_timings(self) -> list[Timing]:
        """Every timed phone."""
        symbols = self.phones.table.symbols()
        ends = np.cumsum(self.durations)
        return [Timing(symbols[p], int(e) - d, int(e))
                for p, d, e in zip(self.phones.phones, self.durations, ends, strict=False)]

    def word_timings(self, words: list[str]) -> list[Timing]:
        """First to last sounding phone of each word."""
        spans: dict[int, tuple[int, int]] = {}
        silent = set(" .,!?;:")
        for timing, word in zip(self.phone_timings(), self.phones.words, strict=False):
            if timing.symbol not in silent and timing.end > timing.start:
                first = spans.get(word, (timing.start, timing.end))[0]
                spans[word] = (first, timing.end)
        return [Timing(words[w], *span) for w, span in sorted(spans.items()) if w < len(words)]

    def next_inputs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Phones [14], counts [4] and hidden state [D] of the next frame."""
        inputs = frame_inputs(np.asarray(self.phones.phones), np.asarray(self.phones.words),
                              np.asarray(self.durations, np.int64), self.frame, self.frame + 1)
        return inputs.phones[0], inputs.counts[0], self._hidden(int(inputs.words[0]))


@torch.inference_mode()
def time_phones(talker: Talker, stream: TalkerStream, sampling: SamplingConfig) -> None:
    """Give durations to every phone whose context is known."""
    affect = torch.from_numpy(stream.affect.vector())[None]
    while stream.untimed():
        phones, past, hidden = stream.duration_context()
        logits = talker.durations(torch.from_numpy(phones)[None], torch.from_numpy(past)[None], affect,
                                  torch.from_numpy(hidden)[None])
        uniform = torch.tensor([stream.rng.random()])
        units = int(sample_top_p(logits, uniform, sampling.duration_temperature, sampling.top_p,
                                 DURATION_CLASSES)[0])
        stream.durations.append(units)


def gather_frames(streams: list[TalkerStream]) -> tuple[FrameBatch, torch.Tensor]:
    """Conditioning and uniforms of the next frame of every stream; advances them."""
    phones, counts, hidden = zip(*(s.next_inputs() for s in streams), strict=True)
    config = streams[0].config
    draws = config.audio_levels + config.motion_levels
    uniforms = np.stack([s.rng.random(draws) for s in streams]).astype(np.float32)
    for stream in streams:
        stream.frame += 1
    batch = FrameBatch(torch.from_numpy(np.stack(phones)), torch.from_numpy(np.stack(counts)),
                       torch.from_numpy(np.stack(hidden)),
                       torch.from_numpy(np.stack([s.affect.vector() for s in streams])))
    return batch, torch.from_numpy(uniforms)
