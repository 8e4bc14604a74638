"""The sound and motion of one response: words in, frames out, samples and motion frames paired on one clock. Runs no model."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from a2llm.audio_codec.vocoder import VocoderState
from a2llm.clock import FrameClock
from a2llm.messages import Affect
from a2llm.rig import ARKIT61
from a2llm.talker.stream import TalkerStream


class MediaPiece(NamedTuple):
    """pcm [S] and motion [F, 61] from `pts_samples` on, and how many of the response's words have begun by their end."""

    pts_samples: int
    pcm: np.ndarray
    motion: np.ndarray
    words_begun: int


NO_MEDIA = MediaPiece(0, np.zeros(0, np.float32), np.zeros((0, ARKIT61.size), np.float32), 0)


class ResponseMedia:
    """delivered_samples: the listener has them already, from where the response was lost; they are made again and not sent."""

    def __init__(self, talker: TalkerStream, vocoder: VocoderState, clock: FrameClock, delivered_samples: int = 0) -> None:
        self._talker, self._vocoder = talker, vocoder
        self._clock, self._unit, self._delivered = clock, clock.samples_per_motion_frame, delivered_samples
        self._samples = 0
        self._unpaired: list[np.ndarray] = []  # motion [F, 61] whose sound is not certain yet

    @property
    def talker(self) -> TalkerStream:
        return self._talker

    @property
    def vocoder(self) -> VocoderState:
        return self._vocoder

    @property
    def samples(self) -> int:
        """Made so far, since the response began."""
        return self._samples

    @property
    def delivered_samples(self) -> int:
        """Sent by another engine before the response came here."""
        return self._delivered

    @property
    def audio_ms(self) -> int:
        """How long the sound is, with what was delivered before."""
        return round(max(self._samples, self._delivered) * 1000 / self._clock.sample_rate_hz)

    def express(self, affect: Affect | None) -> None:
        """Choose how the response sounds and looks, None: as its words say; before its first frame."""
        self._talker.style = replace(self._talker.style, affect=affect)

    def hear(self, states: np.ndarray) -> None:
        """The states [Q, S] at the ends of the user's last words; before the first word."""
        self._talker.hear(states)

    def felt(self, begun: int | None = None) -> Affect:
        """The inferred affect of the word begun last, of `begun` ones; None: of all words so far together."""
        return Affect.from_vector(self._talker.felt(begun))

    def push_word(self, word: str, states: np.ndarray | None) -> None:
        """A whole word and the states [S] that it is spoken from; None for one that the backbone did not write."""
        self._talker.push_word(word, np.zeros(self._talker.config.state_size, np.float32) if states is None else states)

    def end_text(self) -> None:
        """Notes that no more words will come."""
        self._talker.end_text()

    def pair(self, motion: np.ndarray, pcm: np.ndarray, last: bool) -> MediaPiece | None:
        """Add motion [F, 61] and the samples [S] that are now certain; None while there is nothing to send."""
        self._unpaired.append(motion)
        if not len(pcm):
            return None
        pts, frames = self._samples, len(pcm) // self._unit
        held = np.concatenate(self._unpaired)
        motion, self._unpaired = held[:frames], [held[frames:]]
        self._samples += len(pcm)
        known = min(max(0, self._delivered - pts), len(pcm)) // self._unit  # motion frames
        if known * self._unit == len(pcm) and not last:
            return None
        begun = self._talker.words_begun(self._samples // self._unit)
        return MediaPiece(pts + known * self._unit, pcm[known * self._unit :], motion[known:], begun)
