"""Affect: what a voice and a face express. One category and one intensity, the same words everywhere."""

from dataclasses import dataclass

import numpy as np

AFFECTS = ("neutral", "joy", "sadness", "anger", "surprise")
HEARD_INTENSITY = 0.7  # where only the category is known
FAINTEST = 0.1  # intensity below which an inferred affect is none


@dataclass(frozen=True, slots=True)
class Affect:
    """A category and its intensity in 0..1. An empty category is neutral.

    The category is one of `ModelInfo.affects`, which a gateway cannot know before it has asked: a model checks it where it uses it
    (`index`). Raises ValueError for an intensity outside 0..1.
    """

    category: str = "neutral"
    intensity: float = 0.0

    def __post_init__(self) -> None:
        if not self.category:
            object.__setattr__(self, "category", "neutral")
        if not 0.0 <= self.intensity <= 1.0:
            raise ValueError(f"affect intensity must be between 0 and 1, not {self.intensity}")

    @classmethod
    def parse(cls, text: str) -> "Affect":
        """Read `joy` or `joy:0.7` (intensity defaults to 0.7). Raises ValueError, for an unknown category too."""
        name, _, level = text.strip().lower().partition(":")
        try:
            intensity = float(level) if level else HEARD_INTENSITY
        except ValueError:
            raise ValueError(f"affect intensity must be a number, not {level!r}") from None
        return cls(name or "?", intensity).checked()

    @classmethod
    def heard(cls, category: str) -> "Affect":
        """A category without a measured strength, as labels give it: 0.7, or 0 when neutral."""
        return cls(category, 0.0 if category == "neutral" else HEARD_INTENSITY).checked()

    @classmethod
    def from_vector(cls, vector: np.ndarray) -> "Affect":
        """The strongest affect of a conditioning vector [5]; neutral where none has a tenth of it."""
        strongest = 1 + int(vector[1:].argmax())
        level = float(min(max(vector[strongest], 0.0), 1.0))
        return cls(AFFECTS[strongest], round(level, 3)) if level >= FAINTEST else cls()

    @property
    def index(self) -> int:
        """The category's place in AFFECTS. Raises ValueError for an unknown one."""
        if self.category not in AFFECTS:
            raise ValueError(f"unknown affect {self.category!r}: choose one of {', '.join(AFFECTS)}")
        return AFFECTS.index(self.category)

    def checked(self) -> "Affect":
        """This one. Raises ValueError for an unknown category."""
        _ = self.index
        return self

    def vector(self) -> np.ndarray:
        """Conditioning vector [5]: neutral share first, then the intensity at the category's place."""
        out = np.zeros(len(AFFECTS), np.float32)
        level = self.intensity if self.index else 0.0
        out[0] = 1.0 - level
        if self.index:
            out[self.index] = level
        return out

    def __str__(self) -> str:
        return f"{self.category}:{self.intensity:.2f}"
