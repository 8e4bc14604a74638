"""The backbone's tokens -> whole words: spoken ones, each with the hidden state it is said from, or words as written."""

import re

import numpy as np

from a2llm.language.spoken_text import SpokenStream, to_spoken
from a2llm.language.tokenizer import TextTokenizer

HALF_A_CHARACTER = "\ufffd"
Word = tuple[str, np.ndarray]


class WordStream:
    """The words of `to_spoken` on the whole text, let go as soon as nothing that follows can change them.

    A word comes with the hidden state [D] at its last token; one that waits for what follows (4 -> "four million"),
    with the state at the token that settled it.
    """

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._spoken = SpokenStream()
        self._ids: list[int] = []
        self._read = 0  # characters of the decoded text already taken
        self._state: np.ndarray | None = None  # after the last token
        self._words: list[Word] = []  # not let go: a mark may still follow the last one

    @property
    def silent(self) -> bool:
        """Nothing so far can be spoken."""
        return not to_spoken(self._tokenizer.decode(self._ids))

    def push(self, token: int, state: np.ndarray) -> list[Word]:
        """One more token and the hidden state [D] after reading it."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids)
        piece = text[self._read :]
        if not piece.endswith(HALF_A_CHARACTER):
            self._read = len(text)
            before = self._state if piece[:1].isspace() else None  # a space ends the word of the token before
            self._add(self._spoken.feed(piece), state if before is None else before)
        self._state = state
        return self._release(self._spoken.settled)

    def finish(self) -> list[Word]:
        """Returns the last words: no more tokens will come."""
        rest = self._tokenizer.decode(self._ids)[self._read :]
        if self._state is not None:
            self._add(self._spoken.feed(rest) + self._spoken.finish(), self._state)
        return self._release(True)

    def _add(self, spoken: str, state: np.ndarray) -> None:
        for part in re.findall(r" ?[^ ]+", spoken):
            if part[0] == " " or not self._words:
                self._words.append((part.strip(), state))
            else:  # a mark behind the last word
                word, its_state = self._words[-1]
                self._words[-1] = (word + part, its_state)

    def _release(self, settled: bool) -> list[Word]:
        count = len(self._words) if settled else max(0, len(self._words) - 1)
        ready, self._words = self._words[:count], self._words[count:]
        return ready


class PlainWords:
    """The words as the model writes them, for responses that are only read."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._given = 0  # words let go

    @property
    def silent(self) -> bool:
        """Nothing to read so far."""
        return not self._tokenizer.decode(self._ids).strip()

    def push(self, token: int, state: np.ndarray) -> list[Word]:
        """One more token and the hidden state [D] after reading it; whole words."""
        self._ids.append(token)
        text = self._tokenizer.decode(self._ids)
        words = text.split()
        return self._release(words if text[-1:].isspace() else words[:-1], state)

    def finish(self) -> list[Word]:
        """Returns the last words: no more tokens will come."""
        return self._release(self._tokenizer.decode(self._ids).split(), np.zeros(0))

    def _release(self, words: list[str], state: np.ndarray) -> list[Word]:
        ready, self._given = words[self._given :], max(self._given, len(words))
        return [(word, state) for word in ready]
