"""The model parts that an engine computes with, and how it draws words."""

from dataclasses import dataclass
from functools import cached_property

from a2llm.audio_codec.codec import AudioCodec
from a2llm.audio_codec.vocoder import Vocoder
from a2llm.clock import FrameClock
from a2llm.components import frame_clock
from a2llm.language.affect_head import AffectHead
from a2llm.language.runtime import Backbone
from a2llm.language.tokenizer import TextTokenizer
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.phones import GraphemeToPhoneme, PhoneTable
from a2llm.talker.runtime import TalkerRuntime

MAX_RESPONSE_TOKENS = 90


@dataclass(frozen=True)
class Parts:
    """Everything the engine computes with, loaded once."""

    backbone: Backbone
    tokenizer: TextTokenizer
    affect_head: AffectHead
    talker: TalkerRuntime
    audio_codec: AudioCodec
    motion_codec: MotionCodec
    vocoder: Vocoder
    g2p: GraphemeToPhoneme
    phones: PhoneTable
    british_g2p: GraphemeToPhoneme | None = None  # for voices that speak so

    @cached_property
    def clock(self) -> FrameClock:
        """The rates that the codecs have."""
        return frame_clock(self.audio_codec.config, self.motion_codec.config)


@dataclass(frozen=True)
class TextSampling:
    """How a response's tokens are drawn, where its options do not say otherwise."""

    temperature: float = 0.4
    top_p: float = 0.9
    max_tokens: int = MAX_RESPONSE_TOKENS
