"""Sizes and sampling settings of the talker."""

from dataclasses import dataclass

PHONE_SLOTS = 14  # 8 units around the frame, then the next 6 phones
UNITS_BEFORE, UNITS_AFTER, NEXT_PHONES = 2, 6, 6
COUNT_SLOTS, COUNT_CLIP = 4, 15
DURATION_BEFORE, DURATION_AFTER, DURATION_HISTORY, DURATION_CLASSES = 4, 6, 4, 24


WORDS_BEFORE, WORDS_AFTER, USER_WORDS = 12, 5, 32  # reach of the connector: spoken words, words to come, the user's last ones
MEANING_DEPTHS = (0.5, 2 / 3, 1.0)  # where a frozen backbone's meaning is clearest


@dataclass(frozen=True)
class TalkerConfig:
    """Shape of the talker. Codes and latents follow the two codecs it is trained with.

    depths: shares of the backbone's layers whose states it reads. connector_width: of the Motion Connector, 0 where the word's own state
    drives everything. functions: names of what the connector says a word does. voices: names of the voices it was taught; british: those
    for which words are read in British English.
    expressive: it was taught how strongly to express. only_sound: it sees sound instead of words and moves to it, as audio-driven faces
    do; for comparison, it cannot speak. Raises ValueError when the width is not a multiple of the heads.
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
    depths: tuple[float, ...] = (1.0,)
    connector_width: int = 0
    connector_layers: int = 2
    connector_heads: int = 4
    functions: tuple[str, ...] = ()
    voices: tuple[str, ...] = ("heart",)
    british: tuple[str, ...] = ()
    expressive: bool = False
    only_sound: bool = False

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads):
            raise ValueError("width must be a multiple of twice the heads")
        if self.connector_width % self.connector_heads:
            raise ValueError("the connector's width must be a multiple of its heads")

    @property
    def state_size(self) -> int:
        """Width of a word's states, those of all depths side by side."""
        return self.hidden_size * len(self.depths)

    @property
    def meaning_size(self) -> int:
        """Width of the meaning of a word, as frames and durations read it."""
        return self.connector_width or self.state_size

    @property
    def style_size(self) -> int:
        """Width of `style_vector`: the affect, and what else was taught."""
        return self.affects + self.expressive + (len(self.voices) if len(self.voices) > 1 else 0)

    @property
    def infers_affect(self) -> bool:
        """The affect is inferred word by word, and only overridden from outside."""
        return self.connector_width > 0

    def look_ahead(self, word: int) -> int:
        """How many words behind word number `word` must be known before it is spoken: few at first, so that the first sound comes soon."""
        return min(1 + word, WORDS_AFTER) if self.connector_width else 0

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
