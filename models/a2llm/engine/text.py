"""The text of one response: the ids to be read next, the tokens drawn, and the whole words in them. Runs no model."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from a2llm.language.constrained import CallStream
from a2llm.language.word_stream import PlainWords, Word, WordStream
from a2llm.messages import FunctionCall, Resume

RESUMED_AT_ONCE = 32  # tokens drawn elsewhere that one pass reads: at most any backbone's tokens_at_once
NO_REPEAT = 4  # tokens: a run of this length never comes twice in a response


class ResponseText:
    """rng: draws the tokens. limit: most tokens it may have. turn_end: the id that ends it. resume: of a response that was lost
    elsewhere. call: of a response that is a function call, its grammar."""

    def __init__(
        self,
        words: WordStream | PlainWords,
        rng: np.random.Generator,
        limit: int,
        turn_end: int,
        resume: Resume | None = None,
        call: CallStream | None = None,
    ) -> None:
        self._stream, self._rng, self._limit, self._turn_end, self._call = words, rng, limit, turn_end, call
        self._known = resume.tokens if resume else ()  # drawn elsewhere
        self._unread: list[int] = []
        self._input_tokens = self._cached_tokens = 0
        self._tokens: list[int] = []
        self._words: list[str] = []
        self._reported = len(self._known)  # tokens that have left
        self._emitted = resume.words if resume else 0  # words that have left
        self._ended = self._cut = False

    @property
    def call(self) -> CallStream | None:
        return self._call

    @property
    def draws(self) -> bool:
        """The backbone finds its tokens."""
        return True

    @property
    def unread(self) -> list[int]:
        """Ids that the backbone reads next: the rest of the prompt, then what was drawn last."""
        return self._unread

    @property
    def input_tokens(self) -> int:
        return self._input_tokens

    @property
    def cached_tokens(self) -> int:
        """The part of the prompt that was not read again."""
        return self._cached_tokens

    @property
    def tokens(self) -> list[int]:
        """Drawn so far. To be read only."""
        return self._tokens

    @property
    def words(self) -> list[str]:
        """Whole words so far. To be read only."""
        return self._words

    @property
    def words_emitted(self) -> int:
        return self._emitted

    @property
    def ended(self) -> bool:
        return self._ended

    @property
    def cut(self) -> bool:
        """True if the limit ended the text."""
        return self._cut

    @property
    def finished_call(self) -> FunctionCall | None:
        return self._call.call() if self._call and self._call.done else None

    def start(self, prompt_tokens: int, unread: list[int]) -> None:
        """unread: the end of the prompt that no cache held."""
        self._input_tokens, self._cached_tokens, self._unread = prompt_tokens, prompt_tokens - len(unread), unread

    def drop_read(self, count: int) -> None:
        """The backbone has read the first `count` of a prompt that is too long for one pass."""
        self._unread = self._unread[count:]

    def words_read(self, states: np.ndarray) -> list[Word]:
        """Whole words, once the drawn tokens are read. states [T, D]: the hidden state at each of them."""
        if self._call is not None:
            return []
        return [word for token, state in zip(self._unread, states, strict=False) for word in self._stream.push(token, state)]

    def last_words(self) -> list[Word]:
        """Whole words that waited for the end of the text."""
        return [] if self._call is not None else self._stream.finish()

    def add_word(self, word: str) -> None:
        """One of them, in their order."""
        self._words.append(word)

    def uniform(self) -> float:
        """The random number that draws the next token."""
        return self._rng.random()

    def banned(self, vocabulary: int) -> NDArray[np.int64]:
        """Ids [N] that may not come next."""
        if self._call is not None:
            return np.flatnonzero(~self._call.allowed()[:vocabulary])
        silent = not self._words and self._stream.silent  # no word yet, so the text cannot end here
        return np.array(self.repeats() + ([self._turn_end] if silent else []), np.int64)

    def repeats(self) -> list[int]:
        """Ids that would repeat a run of NO_REPEAT tokens."""
        n = NO_REPEAT - 1
        tail = self._tokens[-n:]
        return [self._tokens[i + n] for i in range(len(self._tokens) - n) if self._tokens[i : i + n] == tail]

    def take(self, token: int) -> bool:
        """Add the token that was drawn; whether the text has ended with it."""
        if self._take_known():
            return False
        self._unread = [token, *(self._call.push(token) if self._call else ())]
        self._tokens += self._unread
        stopped = self._call.done if self._call else token == self._turn_end
        self._ended = stopped or len(self._tokens) >= self._limit
        self._cut = self._ended and not stopped
        return self._ended

    def _take_known(self) -> bool:
        """Take the next tokens that were drawn elsewhere in place of the one just drawn; False: there are none.

        The last of them is in no word yet; drawing it again shows whether the text ends there.
        """
        known = self._known[:-1][len(self._tokens) : len(self._tokens) + RESUMED_AT_ONCE]
        if known:
            self._rng.random(len(known) - 1)  # as if they had been drawn here
            self._unread = list(known)
            self._tokens += known
        return bool(known)

    def emit_words(self, until: int) -> str:
        """Words that have not left, up to number `until`, joined with spaces."""
        words = self._words[self._emitted : until]
        self._emitted = max(self._emitted, until)
        return " ".join(words)

    def emit_tokens(self) -> tuple[int, ...]:
        """Tokens that have not left, without the end of the turn or the one at which the limit cut; none of a call."""
        known = self._tokens[:-1] if self._cut else self._tokens
        fresh: Sequence[int] = known[self._reported :]
        self._reported = max(self._reported, len(known))
        return () if self._call else tuple(token for token in fresh if token != self._turn_end)
