"""The voices that ship: names of Kokoro's styles, what they sound like, and the accent that their words are read in."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm.data.kokoro import load_styles

STYLE_LENGTHS = (10, 20, 30, 45, 60, 80, 100, 130, 170, 220, 300)  # phones; a style hardly changes between them


@dataclass(frozen=True)
class Voice:
    """name: as users choose it. style: Kokoro's name of it."""

    name: str
    style: str
    sex: str
    accent: str

    @property
    def british(self) -> bool:
        return self.accent == "British"


VOICES = (
    Voice("heart", "af_heart", "woman", "American"),
    Voice("bella", "af_bella", "woman", "American"),
    Voice("emma", "bf_emma", "woman", "British"),
    Voice("michael", "am_michael", "man", "American"),
    Voice("puck", "am_puck", "man", "American"),
    Voice("george", "bm_george", "man", "British"),
)

NAMES = tuple(voice.name for voice in VOICES)
BRITISH = tuple(voice.name for voice in VOICES if voice.british)


@dataclass(frozen=True)
class Style:
    """A voice's styles [K, 256] for texts of STYLE_LENGTHS phones."""

    rows: np.ndarray

    @classmethod
    def read(cls, file: Path) -> "Style":
        """Reads a voice file of Kokoro's package. Raises ValueError for another file."""
        whole = load_styles(file)
        return cls(whole[np.minimum(STYLE_LENGTHS, len(whole) - 1)])

    def of(self, phones: int) -> np.ndarray:
        """The style [256] for a text of so many phones."""
        return self.rows[int(np.abs(np.asarray(STYLE_LENGTHS) - phones).argmin())]
