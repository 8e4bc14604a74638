"""One conversation and the reply that is on its way: everything that belongs to one stream.

A reply is driven by the engine, which batches the model's work over streams; nothing here runs a model.
Order within a reply: prompt -> tokens -> whole words with their hidden states -> phones -> frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from a2llm.affect import Affect
from a2llm.audio_codec.vocoder import VocoderState
from a2llm.language.chat import ChatTemplate, Persona
from a2llm.language.word_stream import Word, WordStream
from a2llm.talker.stream import TalkerStream

MAX_REPLY_TOKENS = 90
NO_REPEAT = 4  # tokens: a run of this length never comes twice in a reply
SPEECHLESS = "Hm."  # where the backbone wrote nothing that can be said


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
    row: int
    closed: bool = False
    cached: list[int] = field(default_factory=list)  # ids whose keys and values the row holds
    instructions: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.instructions = self.template.system(self.persona)

    def unread(self, text: str, voice: Affect) -> list[int]:
        """Ids that must still be read before the next reply begins."""
        turn = self.template.user(text, voice) + self.template.reply_start()
        if not self.cached:
            return self.instructions + turn
        return turn if self.cached == self.instructions else self.template.reply_end() + turn

    def shortened(self, ids: list[int], room: int) -> list[int]:
        """A prompt of at most `room` ids: the user's words lose their end, the marks around them stay."""
        tail = len(self.template.reply_end() + self.template.reply_start())
        return ids if len(ids) <= room else ids[: room - tail] + ids[-tail:]


@dataclass
class Reply:
    """One response in progress. `feed` is what the backbone reads next."""

    conversation: Conversation
    feed: list[int]
    talker: TalkerStream
    words: WordStream
    vocoder: VocoderState
    rng: np.random.Generator
    forced: Affect | None = None
    voice: Affect = field(default_factory=Affect)
    affect: Affect | None = None
    tokens: list[int] = field(default_factory=list)
    spoken: list[str] = field(default_factory=list)
    text_ended: bool = False
    cancelled: bool = False
    emitted_words: int = 0
    emitted_samples: int = 0
    held_motion: list[np.ndarray] = field(default_factory=list)  # frames [F, 61] whose sound is not out yet

    @property
    def wants_text(self) -> bool:
        return not self.text_ended and (self.affect is None or self.talker.waiting)

    @property
    def can_speak(self) -> bool:
        return self.affect is not None and not self.talker.waiting and not self.talker.finished

    @property
    def done(self) -> bool:
        """Said to its end."""
        return self.text_ended and self.talker.finished

    @property
    def over(self) -> bool:
        """Nothing more will come: done or cancelled."""
        return self.cancelled or self.done

    @property
    def silent(self) -> bool:
        """No word yet, so the text cannot end here."""
        return not self.spoken and self.words.silent

    def banned(self) -> list[int]:
        """Tokens that would repeat a run of NO_REPEAT tokens."""
        n = NO_REPEAT - 1
        tail = self.tokens[-n:]
        return [self.tokens[i + n] for i in range(len(self.tokens) - n) if self.tokens[i : i + n] == tail]

    def add_words(self, words: Sequence[Word]) -> None:
        for word, hidden in words:
            self.spoken.append(word)
            self.talker.push_word(word, hidden)

    def end_text(self) -> None:
        self.add_words(self.words.finish())
        if not self.spoken:
            self.add_words([(SPEECHLESS, np.zeros(self.talker.config.hidden_size, np.float32))])
        self.talker.end_text()
        self.text_ended = True
