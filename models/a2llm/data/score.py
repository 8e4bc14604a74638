"""The score: a response as it is to be performed, phrase by phrase, over the words as they are spoken.

The teachers of prosody and motion read it and nothing else about the meaning. Words are counted as `talker.phones.split_sentences`
counts them, which is how `Speaker` says which phone belongs to which word. It holds intentions, no sound and no motion.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.data.annotation import FUNCTIONS, Phrase
from a2llm.language.spoken_text import to_spoken
from a2llm.talker.phones import SENTENCE_END

MAX_EXPRESSIVENESS = 1.5
FUNCTION_NAMES = tuple(FUNCTIONS)


@dataclass(frozen=True)
class ScorePhrase:
    """Words [start, end) of the response, what they do (leading function first, none when unknown), what they feel like.

    `stressed`: word of the response -> emphasis | contrast.
    """

    start: int
    end: int
    functions: tuple[str, ...]
    affect: Affect
    stressed: dict[int, str]


@dataclass(frozen=True)
class Score:
    """A response to perform. `phrases` follow each other and cover `words` exactly; `voice` is empty for the default one.

    `expressiveness` scales everything that the teachers add to a plain voice and a face at rest. Raises ValueError for phrases that
    leave words out, a function that is unknown, or an expressiveness outside 0..1.5.
    """

    words: tuple[str, ...]
    phrases: tuple[ScorePhrase, ...]
    voice: str = ""
    expressiveness: float = 1.0

    def __post_init__(self) -> None:
        edges = [0, *(phrase.end for phrase in self.phrases)]
        if [p.start for p in self.phrases] != edges[:-1] or edges[-1] != len(self.words) or any(p.end <= p.start for p in self.phrases):
            raise ValueError(f"phrases must follow each other and cover all {len(self.words)} words: {edges}")
        if not 0 <= self.expressiveness <= MAX_EXPRESSIVENESS:
            raise ValueError(f"expressiveness must be between 0 and {MAX_EXPRESSIVENESS}, not {self.expressiveness}")
        if unknown := [f for p in self.phrases for f in p.functions if f not in FUNCTIONS]:
            raise ValueError(f"unknown function {unknown[0]!r}; known: {', '.join(FUNCTIONS)}")

    @classmethod
    def plain(cls, text: str, affect: Affect, voice: str = "", expressiveness: float = 1.0) -> "Score":
        """A text without annotation, `text` as it is spoken: its sentences as phrases of this affect, without functions or stress."""
        words = tuple(text.split())
        ends = [i + 1 for i, word in enumerate(words) if i + 1 == len(words) or word.rstrip("\"')").endswith(SENTENCE_END)]
        phrases = tuple(ScorePhrase(a, b, (), affect, {}) for a, b in zip([0, *ends[:-1]], ends, strict=True)) if ends else ()
        return cls(words, phrases, voice, expressiveness)

    @classmethod
    def annotated(cls, phrases: Sequence[Phrase], voice: str = "", expressiveness: float = 1.0) -> "Score":
        """An annotated response over its spoken words: what is written is spelled out by `to_spoken`, and every word keeps its phrase
        and its stress. Raises ValueError for a phrase of which no word is spoken."""
        written = [word for phrase in phrases for word in phrase.text.split()]
        spoken = to_spoken(" ".join(written)).split()
        first = align(written, spoken)
        made, word = [], 0
        for phrase in phrases:
            count = len(phrase.text.split())
            start, end = first[word], first[word + count]
            if end <= start:
                raise ValueError(f"no word of the phrase {phrase.text!r} is spoken")
            # Where one written word becomes several ("1999"), the last of them carries the stress, as people say figures.
            stressed = {max(first[word + i + 1] - 1, first[word + i]): kind for i, kind in phrase.stressed.items()}
            made.append(ScorePhrase(start, end, phrase.functions, phrase.affect, stressed))
            word += count
        return cls(tuple(spoken), tuple(made), voice, expressiveness)

    @property
    def text(self) -> str:
        """The words to be spoken."""
        return " ".join(self.words)

    def phrase_of_words(self) -> np.ndarray:
        """Index of each word's phrase, int [W]."""
        return np.repeat(np.arange(len(self.phrases)), [p.end - p.start for p in self.phrases])

    def function_labels(self) -> np.ndarray:
        """Functions of each word's phrase, multi-hot in the order of FUNCTIONS: uint8 [W, 30]; zeros where they are unknown."""
        rows = np.zeros((len(self.phrases), len(FUNCTION_NAMES)), np.uint8)
        for row, phrase in zip(rows, self.phrases, strict=True):
            row[[FUNCTION_NAMES.index(name) for name in phrase.functions]] = 1
        return rows[self.phrase_of_words()]

    def affect_labels(self) -> np.ndarray:
        """Affect vector of each word's phrase, as annotated: float16 [W, 5]."""
        rows = np.array([phrase.affect.vector() for phrase in self.phrases], np.float16).reshape(-1, len(AFFECTS))
        return rows[self.phrase_of_words()]


def align(written: Sequence[str], spoken: Sequence[str]) -> list[int]:
    """Finds the spoken word at which each written one begins: [len(written) + 1], never falling, the last entry len(spoken).

    Equal words hold the two together; what differs between them (figures, abbreviations) is shared out in order.
    """
    plain = [[re.sub(r"[^a-z0-9]", "", word.lower()) for word in words] for words in (written, spoken)]
    first = [0] * (len(written) + 1)
    for _, a, b, c, d in SequenceMatcher(a=plain[0], b=plain[1], autojunk=False).get_opcodes():
        for index in range(a, b):
            first[index] = c + (index - a) * (d - c) // (b - a)
    first[-1] = len(spoken)
    return first
