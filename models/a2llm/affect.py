"""Affect: what a voice and a face express. One category and one intensity, the same words everywhere."""

from dataclasses import dataclass

import numpy as np

AFFECTS = ("neutral", "joy", "sadness", "anger", "surprise")
HEARD_INTENSITY = 0.7  # where only the category is known
# (valence, arousal) where Russell's circumplex puts each category: what a label means, not a measurement.
CIRCUMPLEX = {"neutral": (0.0, 0.3), "joy": (0.8, 0.6), "sadness": (-0.7, 0.2), "anger": (-0.6, 0.85), "surprise": (0.2, 0.8)}


@dataclass(frozen=True)
class Affect:
    """A category of AFFECTS and its intensity in 0..1.

    Raises ValueError for an unknown category or an intensity outside 0..1.
    """

    category: str = "neutral"
    intensity: float = 0.0

    def __post_init__(self) -> None:
        if self.category not in AFFECTS:
            raise ValueError(f"unknown affect {self.category!r}: choose one of {', '.join(AFFECTS)}")
        if not 0.0 <= self.intensity <= 1.0:
            raise ValueError(f"affect intensity must be between 0 and 1, not {self.intensity}")

    @classmethod
    def parse(cls, text: str) -> "Affect":
        """Read `joy` or `joy:0.7` (intensity defaults to 0.7)."""
        name, _, level = text.strip().lower().partition(":")
        try:
            intensity = float(level) if level else HEARD_INTENSITY
        except ValueError:
            raise ValueError(f"affect intensity must be a number, not {level!r}") from None
        return cls(name, intensity)

    @classmethod
    def heard(cls, category: str) -> "Affect":
        """A category without a measured strength, as labels give it: 0.7, or 0 when neutral."""
        return cls(category, 0.0 if category == "neutral" else HEARD_INTENSITY)

    @property
    def index(self) -> int:
        return AFFECTS.index(self.category)

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


def valence_arousal(probabilities: np.ndarray) -> tuple[float, float]:
    """The mean place on the circumplex: valence in -1..1 and arousal in 0..1, of probabilities [5] in the order of AFFECTS."""
    valence, arousal = (probabilities @ np.array([CIRCUMPLEX[name] for name in AFFECTS])).tolist()
    return valence, arousal
