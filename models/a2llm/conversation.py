"""One conversation and the reply that is on its way: everything that belongs to one stream.

A reply is driven by the engine, which batches the model's work over streams; nothing here runs a model.
Order within a reply: prompt -> tokens -> whole words with their hidden states -> phones -> frames.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from a2llm.affect import Affect
from a2llm.audio_codec.vocoder import VocoderState
from a2llm.language.chat import ChatTemplate, Persona
from a2llm.language.spoken_text import SpokenStream
from a2llm.language.tokenizer import TextTokenizer
from a2llm.layers.state import StreamState
from a2llm.talker.stream import TalkerStream

MAX_REPLY_TOKENS = 90
NO_REPEAT = 4  # tokens: a run of this length never comes twice in a reply


@dataclass(frozen=True)
class StepOutput:
    """What leaves at one moment, on one clock.

    text: words whose speech begins here. pcm: float32 [S] at the clock's rate. motion: float32 [F, 61].
    pts_samples: samples since the reply began.
    """

    text: str
    pcm: np.ndarray
    motion: np.ndarray
    pts_samples: int
    last: bool = False


@dataclass
class Conversation:
    """What a user and the avatar have said, as token ids, and where it lies in the KV cache."""

    persona: Persona
    template: ChatTemplate
    row: int | None = None
    cached: list[int] = field(default_factory=list)  # ids whose keys and values the row holds

    def prompt(self, text: str, voice: Affect) -> list[int]:
        """All ids of the conversation up to the point where the next reply begins."""
        past = self.cached + self.template.reply_end() if self.cached else self.template.system(self.persona)
        return past + self.template.user(text, voice) + self.template.reply_start()


class WordStream:
    """Tokens -> whole spoken words, each with the hidden state at its last token."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._spoken = SpokenStream()
        self._ids: list[int] = []
        self._read = 0  # characters of the decoded text already taken
        self._hidden: np.ndarray | None = None
        self._states: deque[np.ndarray] = deque()
        self._partial = ""

    def push(self, token: int, hidden: np.ndarray) -> list[tuple[str, np.ndarray]]:
        """One more token and the hidden state [D] after reading it."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids)
        piece, ready = text[self._read:], []
        if piece[:1].isspace() and self._hidden is not None:
            ready = self._word_ended()
        if not piece.endswith("\ufffd"):  # half of a character: wait for the rest
            self._partial += self._spoken.feed(piece)
            self._read = len(text)
        self._hidden = hidden
        return ready

    def finish(self) -> list[tuple[str, np.ndarray]]:
        """No more tokens."""
        if self._hidden is None:
            return []
        self._states.append(self._hidden)
        self._partial += self._spoken.finish()
        return self._take(self._partial.split())

    def _word_ended(self) -> list[tuple[str, np.ndarray]]:
        assert self._hidden is not None
        self._states.append(self._hidden)
        self._partial += self._spoken.feed(" ")
        *whole, self._partial = self._partial.split(" ") if self._partial else [""]
        if self._partial and not self._partial.isspace() and whole == []:
            whole, self._partial = [self._partial], ""
        return self._take([w for w in whole if w])

    def _take(self, words: list[str]) -> list[tuple[str, np.ndarray]]:
        """Give each word its state. Normalisation may withhold a word or make several of one, so states
        wait in order, the last one serves what is left, and old ones are let go."""
        out = []
        for word in words:
            state = self._states.popleft() if len(self._states) > 1 else self._states[0]
            out.append((word, state))
        while len(self._states) > 3:
            self._states.popleft()
        return out


@dataclass
class Reply:
    """One response in progress. `feed` is what the backbone reads next."""

    conversation: Conversation
    feed: list[int]
    talker: TalkerStream
    words: WordStream
    vocoder: VocoderState
    rng: np.random.Generator
    motion_state: StreamState
    forced: Affect | None = None
    voice: Affect = field(default_factory=Affect)
    affect: Affect | None = None
    tokens: list[int] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    text_ended: bool = False
    emitted_words: int = 0
    emitted_samples: int = 0
    held_motion: list[np.ndarray] = field(default_factory=list)

    @property
    def wants_text(self) -> bool:
        return not self.text_ended and (self.affect is None or self.talker.waiting)

    @property
    def can_speak(self) -> bool:
        return self.affect is not None and not self.talker.waiting and not self.talker.finished

    @property
    def done(self) -> bool:
        return self.text_ended and self.talker.finished

    def banned(self) -> set[int]:
        """Tokens that would repeat a run of NO_REPEAT tokens."""
        if len(self.tokens) < NO_REPEAT:
            return set()
        tail, n = tuple(self.tokens[-(NO_REPEAT - 1):]), NO_REPEAT
        runs = (self.tokens[i:i + n] for i in range(len(self.tokens) - n + 1))
        return {run[-1] for run in runs if tuple(run[:-1]) == tail}

    def add_words(self, words: list[tuple[str, np.ndarray]]) -> None:
        for word, hidden in words:
            self.spoken.append(word)
            self.talker.push_word(word, hidden)

    def end_text(self) -> None:
        self.add_words(self.words.finish())
        self.talker.end_text()
        self.text_ended = True
