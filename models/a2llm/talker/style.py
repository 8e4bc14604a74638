"""How a response is spoken, apart from its words: an affect where one is asked for, how strongly, and in which voice."""

from dataclasses import dataclass

import numpy as np

from a2llm.affect import Affect
from a2llm.messages.requests import MOST_EXPRESSIVE
from a2llm.talker.config import TalkerConfig


@dataclass(frozen=True)
class Style:
    """affect: None leaves it to the meaning of the words. expressiveness: 0 to 1.5, 1 is as the teacher speaks. voice: its index.

    Raises ValueError for an expressiveness out of range.
    """

    affect: Affect | None = None
    expressiveness: float = 1.0
    voice: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.expressiveness <= MOST_EXPRESSIVE:
            raise ValueError(f"expressiveness must be between 0 and {MOST_EXPRESSIVE}, not {self.expressiveness}")


def style_vector(style: Style, config: TalkerConfig) -> np.ndarray:
    """Conditioning [S] float32: the affect's vector or zeros, then, where they were taught, the distance of the expressiveness from 1,
    and the voice, one-hot."""
    out = np.zeros(config.style_size, np.float32)
    if style.affect is not None:
        out[: config.affects] = style.affect.vector()
    if config.expressive:
        out[config.affects] = style.expressiveness - 1.0
    if len(config.voices) > 1:
        out[config.affects + config.expressive + style.voice] = 1.0
    return out


def voice_index(config: TalkerConfig, name: str, usual: str = "") -> int:
    """The voice of this name; "" is `usual`, a persona's, and the first one where the talker lacks that.

    Raises ValueError for another name that the talker was not taught.
    """
    if name and name not in config.voices:
        raise ValueError(f"unknown voice {name!r}: choose one of {', '.join(config.voices)}")
    chosen = name or usual
    return config.voices.index(chosen) if chosen in config.voices else 0
