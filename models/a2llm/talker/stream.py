"""One response on its way through the talker: words and states come in, frames go out as soon as they may.

`TalkerStream` holds everything that belongs to one stream and nothing that belongs to a batch; `time_phones` and
`gather_frames` bring many streams together for one call of the model.
"""

# pyright: reportUnknownMemberType=false
# torch.from_numpy and tolist are untyped.

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch

from a2llm.talker.config import DURATION_AFTER, DURATION_BEFORE, DURATION_HISTORY, SamplingConfig, TalkerConfig
from a2llm.talker.connector import NEUTRAL, Connector, WordMeanings
from a2llm.talker.frame_inputs import frames_ready, one_frame
from a2llm.talker.model import FrameBatch
from a2llm.talker.phones import PhoneStream
from a2llm.talker.runtime import TalkerRuntime
from a2llm.talker.sampling import sample_codes
from a2llm.talker.style import Style, style_vector

SHORTEST_RESPONSE_UNITS = 2  # one frame, even if every duration came out as nothing


@dataclass(frozen=True)
class Timing:
    """When something is spoken, in motion-frame units from the response's start."""

    symbol: str
    start: int
    end: int


@dataclass
class TalkerStream:
    """Text side of one response: its phones, their durations and the meanings of its words.

    Durations and frames draw from generators of their own, so that neither depends on how fast the words come.
    """

    phones: PhoneStream
    style: Style
    config: TalkerConfig
    timing_rng: np.random.Generator
    frame_rng: np.random.Generator
    connector: Connector | None = None
    durations: list[int] = field(default_factory=list[int])  # units of each timed phone
    frame: int = 0
    words: WordMeanings = field(init=False)
    _owners: list[int] = field(default_factory=list[int])  # phone of each unit
    _starts: list[int] = field(default_factory=list[int])  # first unit of each timed phone

    def __post_init__(self) -> None:
        self.words = WordMeanings(self.connector, self.config)

    def hear(self, states: np.ndarray) -> None:
        """The states [Q, S] at the ends of the words that this responds to; before its first word."""
        self.words.hear(states)

    def push_word(self, word: str, states: np.ndarray) -> None:
        """One whole word of the response and the backbone's states [S] at its end, zeros where there are none."""
        self.words.push(states.astype(np.float32))
        self.phones.push_word(word)

    def end_text(self) -> None:
        self.words.end()
        self.phones.end()

    def felt(self, begun: int | None = None) -> np.ndarray:
        """The inferred affect [5] of the word begun last, of `begun` ones; None: the mean over all words so far."""
        found = self.words.affects
        if not found:
            return NEUTRAL
        return np.mean(found, 0) if begun is None else found[min(max(begun, 1), len(found)) - 1]

    @property
    def ready(self) -> bool:
        """The next frame's whole look-ahead has durations."""
        return self.frame < frames_ready(len(self._owners), self._all_timed)

    @property
    def finished(self) -> bool:
        return self._all_timed and not self.ready

    @property
    def waiting(self) -> bool:
        """Needs more words before the next frame."""
        return not (self.phones.ended or self.ready or self.untimed())

    @property
    def short(self) -> bool:
        """Needs durations before the next frame."""
        return not self.ready and self.untimed()

    @property
    def _all_timed(self) -> bool:
        return self.phones.ended and len(self.durations) == len(self.phones.phones)

    def untimed(self) -> bool:
        """A phone's whole context is known, with what its word means, and it has no duration yet."""
        have, index = len(self.phones.phones), len(self.durations)
        if self.phones.ended:
            return index < have
        return index < have - DURATION_AFTER and self.phones.words[index] < len(self.words.meanings)

    def duration_context(self) -> tuple[list[int], list[int], np.ndarray]:
        """Phones [11], past durations [4] and meaning [D] of the next phone to be timed."""
        index = len(self.durations)
        around = range(index - DURATION_BEFORE, index + DURATION_AFTER + 1)
        known = self.phones.phones
        phones = [known[i] if 0 <= i < len(known) else 0 for i in around]
        past = ([0] * DURATION_HISTORY + self.durations[-DURATION_HISTORY:])[-DURATION_HISTORY:]
        return phones, past, self._meaning(self.phones.words[index])

    def time(self, units: int) -> None:
        """Give the next untimed phone its duration."""
        index = len(self.durations)
        if self.phones.ended and index == len(self.phones.phones) - 1:
            units = max(units, SHORTEST_RESPONSE_UNITS - len(self._owners))
        self._starts.append(len(self._owners))
        self._owners += [index] * units
        self.durations.append(units)

    def _meaning(self, word: int) -> np.ndarray:
        if 0 <= word < len(self.words.meanings):
            return self.words.meanings[word]
        return np.zeros(self.config.meaning_size, np.float32)

    def words_begun(self, units: int) -> int:
        """How many words have begun before the end of the first `units`."""
        phones = bisect_left(self._starts, units)
        return self.phones.words[phones - 1] + 1 if phones else 0

    def phone_timings(self) -> list[Timing]:
        """Start and end of every phone whose duration is known, in motion-frame units."""
        symbols = self.phones.table.symbols()
        return [
            Timing(symbols[p], start, start + units)
            for p, start, units in zip(self.phones.phones, self._starts, self.durations, strict=False)
        ]

    def word_timings(self, words: list[str]) -> list[Timing]:
        """First to last sounding phone of each word."""
        spans: dict[int, tuple[int, int]] = {}
        silent = set(" .,!?;:")
        for timing, word in zip(self.phone_timings(), self.phones.words, strict=False):
            if timing.symbol not in silent and timing.end > timing.start:
                first = spans.get(word, (timing.start, timing.end))[0]
                spans[word] = (first, timing.end)
        return [Timing(words[w], *span) for w, span in sorted(spans.items()) if w < len(words)]

    def next_inputs(self) -> tuple[list[int], list[int], np.ndarray]:
        """Phones [14], counts [4] and meaning [D] of the next frame."""
        phones, counts, owner = one_frame(self.phones.phones, self._owners, self._starts, self.durations, self.frame)
        return phones, counts, self._meaning(self.phones.words[owner])


@torch.inference_mode()
def time_phones(talker: TalkerRuntime, streams: Sequence[TalkerStream], sampling: SamplingConfig) -> None:
    """Give durations to phones, one of every stream at a time, until every stream has those of its next frame or needs words.

    Who is not short yet goes along: a call costs little more for eight streams than for one.
    """
    while any(stream.short for stream in streams):
        open_streams = [stream for stream in streams if stream.untimed()]
        phones, past, meanings = zip(*(s.duration_context() for s in open_streams), strict=True)
        logits = talker.durations(torch.tensor(phones), torch.tensor(past), _styles(open_streams), torch.from_numpy(np.stack(meanings)))
        uniforms = torch.tensor([s.timing_rng.random() for s in open_streams], dtype=torch.float32)
        units = sample_codes(logits, uniforms, sampling.duration_temperature, sampling.min_p)
        for stream, count in zip(open_streams, cast("list[int]", units.tolist()), strict=True):
            stream.time(count)


def gather_frames(streams: Sequence[TalkerStream]) -> tuple[FrameBatch, torch.Tensor]:
    """Conditioning and uniforms [B, audio + motion levels] of the next frame of every stream; advances them."""
    phones, counts, meanings = zip(*(s.next_inputs() for s in streams), strict=True)
    config = streams[0].config
    draws = config.audio_levels + config.motion_levels
    uniforms = np.stack([s.frame_rng.random(draws, dtype=np.float32) for s in streams])
    for stream in streams:
        stream.frame += 1
    batch = FrameBatch(torch.tensor(phones), torch.tensor(counts), torch.from_numpy(np.stack(meanings)), _styles(streams))
    return batch, torch.from_numpy(uniforms)


def _styles(streams: Sequence[TalkerStream]) -> torch.Tensor:
    return torch.from_numpy(np.stack([style_vector(s.style, s.config) for s in streams]))
