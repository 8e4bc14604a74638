"""The text of a response whose words are given by the caller: pieces come in, the backbone reads them word by word, and draws none.

A word goes to the backbone with the space before it as soon as the next space settles it, in a pass of its own. So tokens, passes and
hidden states depend on the words alone: not on how they were cut into pieces, nor on when these came.
"""

import re

import numpy as np

from a2llm.engine.text import ResponseText
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.word_stream import PlainWords, Word, WordStream
from a2llm.messages import MOST_GIVEN_CHARACTERS, GivenWords, Resume

LONGEST_WORD = 64  # characters that go to the backbone at once
_WORD = re.compile(r"(\s*)(\S+)(?=\s)")


class GivenPieces:
    """Pieces of text in, words out, each with the space before it; equal for any cutting."""

    def __init__(self) -> None:
        self._text = ""
        self._taken = 0  # characters of it that are in words
        self._received = 0
        self._begun = False

    @property
    def received(self) -> int:
        """Characters that have come, with those that are too many."""
        return self._received

    @property
    def too_many(self) -> bool:
        """More came than a response may be given: the text is cut there."""
        return self._received > MOST_GIVEN_CHARACTERS

    def add(self, text: str, offset: int) -> None:
        """Add the part of `text` that is not there yet. Raises ValueError for a gap."""
        if offset > self._received:
            raise ValueError(f"given words begin at {offset}, but there are {self._received} characters")
        fresh = text[self._received - offset :]
        self._received += len(fresh)
        self._text += fresh[: MOST_GIVEN_CHARACTERS - len(self._text)]

    def words(self, over: bool) -> list[str]:
        """Words that are settled now; with `over` all that are left."""
        out: list[str] = []
        text = self._text + (" " if over else "")
        while match := _WORD.match(text, self._taken):
            self._taken = match.end()
            out += self._cut(_space(match[1]) if self._begun else "", match[2])
            self._begun = True
        return out

    def _cut(self, space: str, word: str) -> list[str]:
        pieces = [word[at : at + LONGEST_WORD] for at in range(0, len(word), LONGEST_WORD)]
        return [space + pieces[0], *pieces[1:]]


class GivenText(ResponseText):
    """See ResponseText. limit: most tokens that are read of the given words; the text is cut there."""

    def __init__(
        self, words: WordStream | PlainWords, tokenizer: TextTokenizer, limit: int, given: GivenWords, resume: Resume | None = None
    ) -> None:
        super().__init__(words, np.random.default_rng(0), limit, tokenizer.turn_end, resume)
        self._tokenizer, self._pieces = tokenizer, GivenPieces()
        self._waiting: list[list[int]] = []  # ids of words that were not read
        self._over = self._prompt_read = False
        self.append(given.text, 0, given.over)

    @property
    def draws(self) -> bool:
        return False

    @property
    def received(self) -> int:
        """Characters of the given words that have come."""
        return self._pieces.received

    def append(self, text: str, offset: int, over: bool) -> None:
        """More words. Raises ValueError for a gap. What comes behind the end is counted and left out."""
        self._pieces.add(text, offset)
        if self._over or self._ended:
            return
        self._over = over = over or self._pieces.too_many
        self._waiting += [ids for word in self._pieces.words(over) if (ids := self._tokenizer.encode(word))]
        if self._prompt_read and not self._unread:
            self.next_word()

    def next_word(self) -> None:
        """The prompt, or the word before, is read: the next one is to be. Ends the text where none will come."""
        self._prompt_read, self._unread = True, []
        if self._waiting:
            fits = self._waiting[0][: self._limit - len(self._tokens)]
            self._cut = len(fits) < len(self._waiting[0])
            self._unread = [] if self._cut else self._waiting.pop(0)
            self._tokens += self._unread
        self._ended = self._cut or (self._over and not self._unread)
        self._cut = self._cut or (self._ended and self._pieces.too_many)

    def words_read(self, states: np.ndarray) -> list[Word]:
        made = super().words_read(states)
        self.next_word()
        return made

    def emit_tokens(self) -> tuple[int, ...]:
        """Tokens that have not left; those that the backbone is yet to read leave with the next output."""
        read = self._tokens[: len(self._tokens) - len(self._unread)] if self._prompt_read else []
        fresh = tuple(read[self._reported :])
        self._reported = max(self._reported, len(read))
        return fresh


def _space(space: str) -> str:
    """A run of white space as it counts: a space, a line break, or a paragraph."""
    return "\n\n" if space.count("\n") > 1 else "\n" if "\n" in space else " "
