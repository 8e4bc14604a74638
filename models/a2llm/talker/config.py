"""Sizes and sampling settings of the talker."""

from dataclasses import dataclass

PHONE_SLOTS = 14  # 8 units around the frame, then the next 6 phones
UNITS_BEFORE, UNITS_AFTER, NEXT_PHONES = 2, 6, 6
COUNT_SLOTS, COUNT_CLIP = 4, 15
DURATION_BEFORE, DURATION_AFTER, DURATION_HISTORY, DURATION_CLASSES = 4, 6, 4, 24


@dataclass(frozen=True)
class TalkerConfig:
    """Shape of the talker. Codes and latents follow the two codecs it is trained with.

    Raises ValueError when the width is not a multiple of the heads.
    """

    phones: int = 178
    width: int = 256
    layers: int = 5
    heads: int = 4
    window: int = 256  # frames of attention; 12.8 s at 20 Hz
    phone_width: int = 64
    count_width: int = 16
    affects: int = 5
    hidden_size: int = 576
    audio_levels: int = 8
    audio_size: int = 512
    audio_latent: int = 192
    motion_levels: int = 6
    motion_size: int = 256
    motion_latent: int = 64
    motion_width: int = 128
    duration_width: int = 192

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError("width must be a multiple of twice the heads")

    @property
    def head_dim(self) -> int:
        return self.width // self.heads


@dataclass(frozen=True)
class SamplingConfig:
    """Temperatures per residual level (coarse first); a code less likely than `min_p` times the best one is cut.

    Motion has its own, far lower cut: a blink begins in one frame of eighty, and a cut fit for voices never lets it.
    Raises ValueError for a min_p outside (0, 1], a negative temperature or fewer temperatures than levels.
    """

    audio_temperature: tuple[float, ...] = (0.8, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.3)
    motion_temperature: float = 1.0
    duration_temperature: float = 0.6
    min_p: float = 0.05
    motion_min_p: float = 0.002
    audio_levels: int = 8  # fewer levels cost less and sound rougher; the predicted residual fills in

    def __post_init__(self) -> None:
        if not (0.0 < self.min_p <= 1.0 and 0.0 < self.motion_min_p <= 1.0):
            raise ValueError("min_p must be above 0 and at most 1")
        if min(*self.audio_temperature, self.motion_temperature, self.duration_temperature) < 0.0:
            raise ValueError("a temperature cannot be negative")
        if not 1 <= self.audio_levels <= len(self.audio_temperature):
            raise ValueError("every audio level needs a temperature")
