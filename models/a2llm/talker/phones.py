"""Words -> phones while the words are still arriving.

The reading of a word can depend on the next one ("the apple", "I read it"), so a word's phones are
released once its successor is known or the sentence has ended. Grapheme-to-phoneme conversion itself
is hibari's (Apache-2.0).
"""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

SENTENCE_END = (".", "!", "?")
GOING_ON = "thing"  # read behind an unfinished sentence: at its end "in a" sounds otherwise than within


class GraphemeToPhoneme(Protocol):
    """Text of one sentence -> phone symbols, words apart by spaces."""

    def __call__(self, text: str) -> str: ...


@dataclass(frozen=True)
class PhoneTable:
    """Phone symbols and their ids; 0 is silence."""

    ids: dict[str, int]

    @classmethod
    def load(cls, assets: Path) -> "PhoneTable":
        return cls(json.loads((assets / "vocab.json").read_text()))

    @property
    def size(self) -> int:
        return max(self.ids.values()) + 1

    def symbols(self) -> dict[int, str]:
        return {v: k for k, v in self.ids.items()}


def load_g2p(assets: Path, british: bool = False) -> GraphemeToPhoneme:
    """Loads the converter of an installed hibari package, for American or British English.

    Raises ValueError if `assets` are not that package's."""
    if not (assets / "vocab.json").exists():
        raise ValueError(f"{assets} is not the voice's assets folder")
    return _installed_g2p(british)


@cache
def _installed_g2p(british: bool) -> GraphemeToPhoneme:
    """Read once in a process: its dictionaries take half a second."""
    from hibari.g2p import G2P  # pyright: ignore[reportMissingTypeStubs]

    g2p = G2P(british=british)
    g2p("Zorblax")  # opens the reader of unknown words now rather than in the middle of a response
    return g2p


def align_words(phones: str, words: int) -> list[int]:
    """Word index of every phone of one sentence. Groups between spaces are words; where the converter
    made more or fewer groups than words, groups are spread over the words in order."""
    groups = max(1, phones.count(" ") + 1)
    owner: list[int] = []
    group = 0
    for phone in phones:
        group += phone == " "
        owner.append(min(words - 1, group if groups == words else group * words // groups))
    return owner


@dataclass
class PhoneStream:
    """Grows a phone sequence word by word. `phones[i]` belongs to word `words[i]` of the response."""

    g2p: GraphemeToPhoneme
    table: PhoneTable
    phones: list[int] = field(default_factory=list[int])
    words: list[int] = field(default_factory=list[int])
    ended: bool = False
    _sentence: list[str] = field(default_factory=list[str])
    _first_word: int = 0
    _released: int = 0  # words of the sentence
    _begun: bool = False  # the sentence has phones

    def push_word(self, word: str) -> None:
        """Add one whole word with its punctuation."""
        self._sentence.append(word)
        if word.rstrip("\"')").endswith(SENTENCE_END):
            self._release(whole=True)
            self._first_word += len(self._sentence)
            self._sentence, self._released, self._begun = [], 0, False
        else:
            self._release(whole=False)

    def end(self) -> None:
        """No more words: release what is left, a breath if nothing could be pronounced."""
        if self._sentence:
            self._release(whole=True)
        if not self.phones:
            self._append(" ", 0)
        self.ended = True

    def _release(self, whole: bool) -> None:
        """The words that cannot change any more: all but the last, which reads otherwise before a vowel."""
        words = self._sentence if whole else [*self._sentence, GOING_ON]
        until = len(self._sentence) - (not whole)
        symbols = "".join(s for s in self.g2p(" ".join(words)).strip() if s in self.table.ids)
        for symbol, word in zip(symbols, align_words(symbols, len(words)), strict=True):
            if self._released <= word < until:
                if self.phones and not self._begun:
                    self._append(" ", self._first_word)
                self._begun = True
                self._append(symbol, self._first_word + word)
        self._released = until

    def _append(self, symbol: str, word: int) -> None:
        self.phones.append(self.table.ids[symbol])
        self.words.append(word)


def split_sentences(text: str) -> list[list[str]]:
    """Words of each sentence, cut exactly as PhoneStream cuts."""
    sentences: list[list[str]] = [[]]
    for word in text.split():
        sentences[-1].append(word)
        if word.rstrip("\"')").endswith(SENTENCE_END):
            sentences.append([])
    return [s for s in sentences if s]
