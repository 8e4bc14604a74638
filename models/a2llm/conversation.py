"""One conversation and the reply that is on its way: everything that belongs to one stream.

A reply is driven by the engine, which batches the model's work over streams; nothing here runs a model.
Order within a reply: prompt -> tokens -> whole words with their hidden states -> phones -> frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from a2llm.audio_codec.vocoder import VocoderState
from a2llm.language.chat import ChatTemplate
from a2llm.language.constrained import CallStream
from a2llm.language.word_stream import PlainWords, Word, WordStream
from a2llm.messages import Affect, AssistantTurn, FinishReason, Item, Persona, ResponseOptions, Tool, Usage, UserTurn
from a2llm.talker.stream import TalkerStream

MAX_REPLY_TOKENS = 90
RESUMED_AT_ONCE = 32  # tokens of a reply that goes on here, read in one pass: at most any backbone's tokens_at_once
NO_REPEAT = 4  # tokens: a run of this length never comes twice in a reply
SPEECHLESS = "Hm."  # where the backbone wrote nothing that can be said
WORDS_AHEAD = 6  # of what is spoken: two seconds
LEAST_WORDS = 16  # tokens of the last turn that must find room beside the instructions


@dataclass
class Marks:
    """When a response reached what: seconds of time.perf_counter; None until then."""

    admitted_s: float
    prefill_done_s: float | None = None
    first_token_s: float | None = None
    first_audio_s: float | None = None


@dataclass
class Conversation:
    """A slot and what its KV cache holds; `persona` may be changed between replies.

    `items` is for a caller that leaves the bookkeeping to `Engine.open_stream`.
    """

    persona: Persona
    template: ChatTemplate
    row: int
    closed: bool = False
    cached: list[int] = field(default_factory=list)  # ids whose keys and values the row holds
    items: list[Item] = field(default_factory=list)
    last_reply: "Reply | None" = None

    @property
    def opening(self) -> list[int]:
        """Ids that a prompt without tools begins with."""
        return self.template.opening(self.persona.instructions)

    def prompt(self, items: Sequence[Item], tools: tuple[Tool, ...], room: int) -> list[int]:
        """Ids of a whole conversation up to where the reply begins, at most `room`.

        What does not fit goes by whole turns, the oldest first; a last turn that is too long loses its end. Raises
        ValueError when the instructions leave no room.
        """
        start = self.template.instructions(self.persona.instructions, tools)
        room -= len(start)
        turns = [[i for item in turn for i in self.template.item(item)] for turn in split_turns(items)]
        tail = self.template.response_end() + self.template.response_start()
        if room < len(tail) + LEAST_WORDS:
            raise ValueError("the instructions and tools are too long for the model's context")
        kept = turns[dropped_turns([len(turn) for turn in turns], room - len(self.template.response_start())) :]
        ids = [i for turn in kept for i in turn] + self.template.response_start()
        return start + (ids if len(ids) <= room else ids[: room - len(tail)] + tail)


def split_turns(items: Sequence[Item]) -> list[list[Item]]:
    """Items by turns: each begins with the user's words, and a call stays with its result."""
    turns: list[list[Item]] = []
    for item in items:
        if isinstance(item, UserTurn) or not turns:
            turns.append([])
        turns[-1].append(item)
    return turns


def dropped_turns(lengths: Sequence[int], room: int) -> int:
    """How many of the oldest turns go so that the rest fits; never the last one.

    A quarter of the room at a time, so that the prompt's beginning, and with it the KV cache, holds for several turns.
    """
    excess, piece = sum(lengths) - room, max(1, room // 4)
    goal = -(-max(0, excess) // piece) * piece
    gone = count = 0
    while gone < goal and count < len(lengths) - 1:
        gone += lengths[count]
        count += 1
    return count


@dataclass(eq=False)
class Reply:
    """One response in progress. `feed` is what the backbone reads next."""

    conversation: Conversation
    feed: list[int]
    talker: TalkerStream
    words: WordStream | PlainWords
    vocoder: VocoderState
    rng: np.random.Generator
    options: ResponseOptions = field(default_factory=ResponseOptions)
    call: CallStream | None = None
    input_tokens: int = 0
    marks: Marks = field(default_factory=lambda: Marks(0.0))
    affect: Affect | None = None
    tokens: list[int] = field(default_factory=list)
    told_tokens: int = 0
    spoken: list[str] = field(default_factory=list)
    text_ended: bool = False
    cancelled: bool = False
    cut: bool = False  # ended by the limit of tokens
    cached_tokens: int = 0
    emitted_words: int = 0
    emitted_samples: int = 0
    held_motion: list[np.ndarray] = field(default_factory=list)  # frames [F, 61] whose sound is not out yet

    @property
    def speaks(self) -> bool:
        """Has a voice and a face: neither a call nor text alone."""
        return self.options.audio and self.call is None

    @property
    def usage(self) -> Usage:
        """Tokens so far; who knows the clock adds the sound."""
        return Usage(self.input_tokens, self.cached_tokens, len(self.tokens))

    @property
    def finish_reason(self) -> FinishReason:
        """completed, max_output_tokens or cancelled; for a reply that is over."""
        return "cancelled" if self.cancelled else "max_output_tokens" if self.cut else "completed"

    @property
    def wants_text(self) -> bool:
        return not self.text_ended and (self.affect is None or not self.speaks or self.talker.waiting)

    @property
    def reads_ahead(self) -> bool:
        """Speaks, and has few words left that are not spoken yet."""
        return self.speaks and self.affect is not None and not self.text_ended and len(self.spoken) - self.emitted_words < WORDS_AHEAD

    @property
    def can_speak(self) -> bool:
        return self.speaks and self.affect is not None and self.talker.ready

    @property
    def done(self) -> bool:
        """Said to its end."""
        return self.text_ended and (self.talker.finished or not self.speaks)

    @property
    def over(self) -> bool:
        """Nothing more will come: done or cancelled."""
        return self.cancelled or self.done

    @property
    def silent(self) -> bool:
        """No word yet, so the text cannot end here."""
        return not self.spoken and self.words.silent

    def resume(self) -> bool:
        """Take over the next of the tokens that were drawn elsewhere, in place of the one just drawn; False: there are none.

        The last of them is in no word yet; drawing it again tells whether the text ends there.
        """
        known = self.options.resume.tokens[:-1] if self.options.resume else ()
        drawn = list(known[len(self.tokens) : len(self.tokens) + RESUMED_AT_ONCE])
        if drawn:
            self.rng.random(len(drawn) - 1)  # as if they had been drawn here
            self.feed, self.tokens = drawn, self.tokens + drawn
        return bool(drawn)

    def tell_tokens(self, end: int) -> tuple[int, ...]:
        """Tokens drawn since the last call, without `end`; none of a call."""
        known = self.tokens[:-1] if self.cut else self.tokens
        fresh, self.told_tokens = known[self.told_tokens :], max(self.told_tokens, len(known))
        return () if self.call else tuple(token for token in fresh if token != end)

    def banned(self) -> list[int]:
        """Tokens that would repeat a run of NO_REPEAT tokens."""
        n = NO_REPEAT - 1
        tail = self.tokens[-n:]
        return [self.tokens[i + n] for i in range(len(self.tokens) - n) if self.tokens[i : i + n] == tail]

    def add_words(self, words: Sequence[Word]) -> None:
        for word, hidden in words:
            self.spoken.append(word)
            if self.speaks:
                self.talker.push_word(word, hidden)

    def end_text(self) -> None:
        self.text_ended = True
        if self.call is not None:
            return
        self.add_words(self.words.finish())
        if not self.spoken:
            self.add_words([(SPEECHLESS, np.zeros(self.talker.config.hidden_size, np.float32))])
        self.talker.end_text()

    @property
    def said(self) -> Item:
        """The finished or cancelled reply as an item. The last token was drawn and never read."""
        called = self.call.call() if self.call and self.call.done else None
        return called or AssistantTurn(" ".join(self.spoken), () if self.call else tuple(self.tokens[:-1]))
