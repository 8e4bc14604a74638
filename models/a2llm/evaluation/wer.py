"""Word errors: normalisers for what was meant and what was heard, and the edit distance between them.

Ours forgives how a word is written (case, digits, contractions, hyphens, spelled letters), never which word it is:
homophones and British or American spellings count as errors. It hears nothing itself.
"""

import re
from collections.abc import Callable
from functools import cache

import numpy as np

from a2llm.language.number_words import decade, year
from a2llm.language.spoken_text import to_spoken

_YEAR = re.compile(r"(?<![\d.,$£€])(1[1-9]\d\d|20\d\d)(s?)(?![\d%]|[.,]\d)\b")
_CONTRACTIONS = (
    (r"\bcannot\b", "can not"),
    (r"\bcan't\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"\bshan't\b", "shall not"),
    (r"n't\b", " not"),
    (r"\blet's\b", "let us"),
    (r"\b(it|he|she|that|this|there|here|what|who|where|when|how|why|everything|everyone|nothing)'s\b", r"\1 is"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"\bi'm\b", "i am"),
    (r"\bok\b", "okay"),
)
_AFTER_SCALE = re.compile(r"\b(hundred|thousand|million|billion) and\b")
_SPELLED = re.compile(r"\b[b-hj-z](?: [b-hj-z])+\b")  # "a" and "i" are words


def normalise(text: str) -> list[str]:
    """Plain words of a text: lower case, numbers spelled out, contractions opened, no punctuation, letters joined."""
    plain = to_spoken(_YEAR.sub(_spell_year, text.replace("’", "'"))).lower()
    for pattern, words in _CONTRACTIONS:
        plain = re.sub(pattern, words, plain)
    plain = " ".join(re.sub(r"[^a-z ]", "", plain.replace("-", " ")).split())
    plain = _AFTER_SCALE.sub(r"\1", plain)
    return _SPELLED.sub(lambda run: run[0].replace(" ", ""), plain).split()


def whisper_normalise(text: str) -> list[str]:
    """Words of a text by the normaliser of the Whisper paper (Radford et al. 2022, appendix C), for figures that compare with others'."""
    return _whisper()(text).split()


@cache
def _whisper() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer

    return EnglishTextNormalizer()


def _spell_year(match: re.Match[str]) -> str:
    return decade(int(match[1])) if match[2] else year(int(match[1]))


def word_errors(said: list[str], heard: list[str]) -> int:
    """Fewest substitutions, insertions and deletions that turn one list into the other."""
    row = np.arange(len(heard) + 1)
    for index, word in enumerate(said, 1):
        swap = row[:-1] + np.array([word != other for other in heard], int)
        best = np.minimum(swap, row[1:] + 1)
        row = np.minimum.accumulate(np.concatenate(([index], best)) - np.arange(len(heard) + 1)) + np.arange(len(heard) + 1)
    return int(row[-1])
