"""One response in progress: a prompt becomes tokens, tokens become words, words become frames. The engine drives it, in batches."""

from collections.abc import Sequence

import numpy as np

from a2llm.engine.conversation import Conversation
from a2llm.engine.given import GivenText
from a2llm.engine.marks import Marks
from a2llm.engine.media import NO_MEDIA, MediaPiece, ResponseMedia
from a2llm.engine.prompt import Prompt
from a2llm.engine.text import ResponseText
from a2llm.language.word_stream import Word
from a2llm.messages import Affect, AssistantTurn, FinishReason, FunctionCall, Item, ResponseOptions, StepOutput, Usage
from a2llm.talker.stream import TalkerStream

WORDS_AHEAD = 6  # unspoken words, two seconds: with fewer of them a response reads along whenever another one reads
MOVED = 0.1  # of an affect's intensity, to be reported again
SPEECHLESS = "Hm."  # where the backbone wrote nothing that can be said


class Response:
    """Made by `Engine.respond`. Its state changes through its methods, which the engine alone calls."""

    __slots__ = (
        "_affect",
        "_begun",
        "_cancelled",
        "_conversation",
        "_marks",
        "_media",
        "_options",
        "_prompt",
        "_reported",
        "_resumed",
        "_speaks",
        "_text",
    )

    def __init__(
        self, conversation: Conversation, prompt: Prompt, options: ResponseOptions, text: ResponseText, media: ResponseMedia, marks: Marks
    ) -> None:
        self._conversation, self._prompt, self._options = conversation, prompt, options
        self._text, self._media, self._marks = text, media, marks
        self._speaks = options.audio and text.call is None
        self._affect: Affect | None = None  # chosen for all of it; None where it is inferred word by word
        self._reported: Affect | None = None  # that has left last
        self._resumed = options.resume is not None  # its affect has left where the response was lost
        self._begun = self._cancelled = False

    # --- what it is -----------------------------------------------------------------------------------------------------

    @property
    def conversation(self) -> Conversation:
        return self._conversation

    @property
    def prompt(self) -> Prompt:
        return self._prompt

    @property
    def options(self) -> ResponseOptions:
        return self._options

    @property
    def marks(self) -> Marks:
        return self._marks

    @property
    def text(self) -> ResponseText:
        return self._text

    @property
    def media(self) -> ResponseMedia:
        return self._media

    @property
    def talker(self) -> TalkerStream:
        """Phones, durations and timings of what it says."""
        return self._media.talker

    @property
    def affect(self) -> Affect | None:
        """The affect that it expresses as a whole, so far; None until its prompt has been read."""
        return (self._affect or self._media.felt()) if self._begun else None

    @property
    def tokens(self) -> list[int]:
        """Tokens that were drawn so far."""
        return self._text.tokens

    @property
    def words(self) -> list[str]:
        """Whole words so far, spoken or not."""
        return self._text.words

    @property
    def words_emitted(self) -> list[str]:
        """Words that have left with an output."""
        return self._text.words[: self._text.words_emitted]

    @property
    def usage(self) -> Usage:
        """Tokens and sound so far, with what another engine delivered before the response came here."""
        return Usage(self._text.input_tokens, self._text.cached_tokens, len(self._text.tokens), self._media.audio_ms)

    @property
    def said(self) -> Item:
        """The response as an item of the conversation, as far as it came. A token that was drawn last was never read."""
        if called := self._text.finished_call:
            return called
        read = self.tokens[:-1] if self._text.draws else self.tokens
        return AssistantTurn(" ".join(self.words), () if self._text.call else tuple(read))

    # --- how far it is --------------------------------------------------------------------------------------------------

    @property
    def speaks(self) -> bool:
        """Has sound and motion: it is neither a call nor text alone."""
        return self._speaks

    @property
    def begun(self) -> bool:
        """Its prompt has been read."""
        return self._begun

    @property
    def needs_token(self) -> bool:
        """Cannot go on without the next token, and has one to read."""
        lacks = not self._begun or not self._speaks or self.talker.waiting
        return bool(lacks and self._text.unread and not self._text.ended)

    @property
    def waits_for_words(self) -> bool:
        """Has said all that can be said of the words it was given, and more may come."""
        text, talker = self._text, self.talker
        idle = self._begun and not text.ended and not text.unread
        return idle and not (self._speaks and (talker.ready or talker.untimed()))

    @property
    def is_low_on_words(self) -> bool:
        """Speaks, and will soon need the next token."""
        text, ahead = self._text, WORDS_AHEAD + self.talker.config.look_ahead(self._text.words_emitted)
        reads = self._speaks and self._begun and bool(text.unread) and not text.ended
        return reads and len(text.words) - text.words_emitted < ahead

    @property
    def has_frame(self) -> bool:
        """Its next frame can be computed."""
        return self._speaks and self._begun and self.talker.ready

    @property
    def done(self) -> bool:
        """True if the response came to its end."""
        return self._text.ended and (self.talker.finished or not self._speaks)

    @property
    def cancelled(self) -> bool:
        return self._cancelled

    @property
    def over(self) -> bool:
        """Nothing more comes: done or cancelled."""
        return self._cancelled or self.done

    @property
    def finish_reason(self) -> FinishReason:
        """For a response that is over. "content": it was to be a call, and none came about."""
        if self._cancelled:
            return "cancelled"
        if self._text.cut:
            return "max_output_tokens"
        return "completed" if self._text.call is None or self._text.finished_call else "content"

    # --- what changes it ------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take over the slot: what it holds of the prompt is not read again."""
        self._text.start(len(self._prompt.ids), self._conversation.slot.fit(self._prompt.ids, self._prompt.heard))

    def begin(self, affect: Affect | None) -> None:
        """The prompt is read, and says how the response is meant; None leaves that to its words."""
        self._marks.note_prefill_done()
        self._affect, self._begun = affect, True
        self._media.express(affect)
        self._media.hear(self._conversation.slot.wanted_states)
        if isinstance(self._text, GivenText):
            self._text.next_word()
            self._end_given()

    def note_read(self, states: np.ndarray) -> None:
        """The drawn tokens are read. states [T, D]: the hidden state at each of them."""
        self._add_words(self._text.words_read(states))
        if isinstance(self._text, GivenText):
            self._marks.note_token()
            self._end_given()

    def take(self, token: int) -> None:
        """Add the token that was drawn."""
        self._marks.note_token()
        if self._text.take(token):
            self._end_text()

    def append(self, text: str, offset: int, over: bool) -> int:
        """More of the given words; returns how many characters there are. Raises ValueError for a gap, and for a response whose words
        the backbone finds."""
        if not isinstance(self._text, GivenText):
            raise ValueError("the response finds its words itself")
        ended = self._text.ended
        self._text.append(text, offset, over)
        if not ended:
            self._end_given()
        return self._text.received

    def cancel(self) -> None:
        """Harmless for a response that is done."""
        self._cancelled = not self.done

    def emit_begun(self) -> StepOutput:
        """An output without a word, which tells that the prompt is read: given words may be long in coming."""
        return StepOutput(pts_samples=self._media.samples, usage=self.usage)

    def emit_text(self) -> StepOutput | None:
        """New words of a response that does not speak; None where there are none."""
        text = self._text.emit_words(len(self._text.words))
        if not text and not self.done:
            return None
        return self._output(text, NO_MEDIA, self.done, self._text.finished_call)

    def emit_frame(self, motion: np.ndarray, pcm: np.ndarray, last: bool) -> StepOutput | None:
        """Add a frame's motion [F, 61] and the samples [S] that are now certain; None while there is nothing to send."""
        piece = self._media.pair(motion, pcm, last)
        if piece is None:
            return None
        self._marks.note_audio()
        return self._output(self._text.emit_words(len(self.words) if last else piece.words_begun), piece, last)

    def _output(self, text: str, piece: MediaPiece, last: bool, call: FunctionCall | None = None) -> StepOutput:
        affect, tokens = self._new_affect(piece), self._text.emit_tokens()
        return StepOutput(text, piece.pcm, piece.motion, piece.pts_samples, last, call, tokens, affect, usage=self.usage)

    def _new_affect(self, piece: MediaPiece) -> Affect | None:
        """The affect of these frames, unless it is the one that left before."""
        now, before = self._affect or self._media.felt(piece.words_begun), self._reported
        if before and now.category == before.category and abs(now.intensity - before.intensity) < MOVED:
            return None
        self._reported, known, self._resumed = now, self._resumed, False
        return None if known else now

    def _end_text(self) -> None:
        if self._text.call is not None:
            return
        self._add_words(self._text.last_words())
        if not self.words and self._text.draws:
            self._add_words([(SPEECHLESS, None)])
        self._speaks = self._speaks and bool(self.words)  # given words of which none can be said have no sound
        self._media.end_text()

    def _end_given(self) -> None:
        if self._text.ended:
            self._end_text()

    def _add_words(self, words: Sequence[Word | tuple[str, None]]) -> None:
        for word, states in words:
            self._text.add_word(word)
            if self._speaks:
                self._media.push_word(word, states)
