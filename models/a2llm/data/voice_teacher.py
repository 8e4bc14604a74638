"""The teacher voices: Kokoro's durations, pitch and energy, bent by a score, and voice frames of our own vocoder for them.

A drop-in for `SpeechTeacher` with a voice to choose. Used when data are built, never at run time.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from a2llm.data.kokoro import STYLE_WIDTH, Kokoro
from a2llm.data.prosody import Delivery, Timeline, shape_gain, shape_pitch
from a2llm.data.speech_teacher import DB_PER_ENERGY, TeacherSpeech, shape_units, without_pads
from a2llm.data.voice_net import VoiceNet
from a2llm.data.voices import Style

LONGEST_TAIL_UNITS = 8  # of the last symbol and the silence behind it


@dataclass(frozen=True)
class Shaped:
    """A sentence as Kokoro is asked to say it: ids [1, P + 2], style [256], units [P + 2], pitch and energy [2U].

    lead, tail: units of silence at its ends that nobody needs. Kokoro does: with less silence before, it swallows the first phone.
    """

    ids: np.ndarray
    style: np.ndarray
    units: np.ndarray
    f0_hz: np.ndarray
    energy: np.ndarray
    lead: int
    tail: int


def shape(kokoro: Kokoro, style: Style, phones: str, words: np.ndarray, delivery: Delivery) -> Shaped:
    """Bend a voice's own prosody of one sentence; words [P]: each phone's word of the response. Raises ValueError for a phone that
    Kokoro does not know, or too many."""
    ids = kokoro.ids(phones)
    row = style.of(len(phones))
    raw = kokoro.durations(ids, row)
    wanted = shape_units(raw, phones, words, delivery)
    units = wanted.copy()
    units[0] = max(wanted[0], np.round(raw[0]))
    tail = 2 * int(max(0.0, wanted[-2] + wanted[-1] - LONGEST_TAIL_UNITS) // 2)
    f0, energy = kokoro.prosody(ids, row, units)
    time = Timeline.of(without_pads(units), phones, words)
    gain = shape_gain(time, delivery).astype(np.float32) / DB_PER_ENERGY
    return Shaped(ids, row, units, shape_pitch(f0, time, delivery), energy + gain, int(units[0] - wanted[0]), tail)


class VoiceTeacher:
    """Speaks phone strings of one sentence in any of `styles`, as a delivery says. Deterministic."""

    def __init__(self, kokoro: Kokoro, net: VoiceNet, styles: Mapping[str, Style]) -> None:
        self._kokoro, self._net, self._styles = kokoro, net, styles

    @property
    def voices(self) -> tuple[str, ...]:
        """Names to choose from."""
        return tuple(self._styles)

    @property
    def head(self) -> tuple[np.ndarray, np.ndarray]:
        """The spectral head of its voice frames: weight [256, 5 * 601] and bias."""
        return self._net.head_weight.numpy(), self._net.head_bias.numpy()

    @torch.inference_mode()
    def speak(self, voice: str, phones: str, words: np.ndarray, delivery: Delivery) -> TeacherSpeech:
        """One sentence; durations include the silent pads, given to the first and last phone. Raises KeyError for an unknown voice,
        ValueError for phones that cannot be spoken."""
        made = shape(self._kokoro, self._styles[voice], phones, words, delivery)
        features = self._kokoro.features(made.ids, made.style, made.units, made.f0_hz, made.energy)
        inputs = (features, made.f0_hz, made.style[: STYLE_WIDTH // 2])
        hidden = self._net(*(torch.from_numpy(np.ascontiguousarray(x, np.float32))[None] for x in inputs))[0].numpy()
        units = without_pads(made.units)
        units[0] -= made.lead
        units[-1] -= made.tail
        kept = slice(2 * made.lead, len(hidden) - 2 * made.tail)
        return TeacherSpeech(phones, units, made.f0_hz[kept], made.energy[kept], hidden[kept].astype(np.float16))
