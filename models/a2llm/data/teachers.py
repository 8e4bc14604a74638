"""The teacher that speaks a data set: hibari where there is one voice, which every installation has; Kokoro where there are several."""

from pathlib import Path
from typing import Protocol

import numpy as np

from a2llm import weights
from a2llm.data.kokoro import Kokoro, installed_model
from a2llm.data.prosody import Delivery
from a2llm.data.speech_teacher import SpeechTeacher, TeacherSpeech, spectral_head
from a2llm.data.voice_net import load_voice_net
from a2llm.data.voice_teacher import VoiceTeacher

ONE_VOICE = ("heart",)
VOICE_NET = Path(__file__).parents[2] / "weights" / "teacher" / "voice_net.safetensors"


class Teacher(Protocol):
    """Speaks phones of one sentence in a voice, and has the spectral head (weight [D, 5 F], bias [5 F]) that its voice frames are for."""

    @property
    def head(self) -> tuple[np.ndarray, np.ndarray]: ...

    def speak(self, voice: str, phones: str, words: np.ndarray, delivery: Delivery) -> TeacherSpeech: ...


class OneVoice:
    """hibari, whose voice is always the same."""

    def __init__(self) -> None:
        self._model = weights.resolve("voice")
        self._teacher = SpeechTeacher(self._model, weights.resolve("g2p") / "vocab.json")

    @property
    def head(self) -> tuple[np.ndarray, np.ndarray]:
        return spectral_head(self._model)

    def speak(self, voice: str, phones: str, words: np.ndarray, delivery: Delivery) -> TeacherSpeech:
        """One sentence. Raises ValueError for another voice than its own, and without a phone."""
        if voice not in ("", *ONE_VOICE):
            raise ValueError(f"one voice is {ONE_VOICE[0]}, not {voice}: name several for Kokoro's")
        return self._teacher.speak(phones, words, delivery)

    def plain_durations(self, phones: str) -> np.ndarray:
        """Durations [P] in units, not rounded, of phones said plainly."""
        return self._teacher.plain_durations(phones)


def load_teacher(voices: tuple[str, ...] = ONE_VOICE, voice_net: Path = VOICE_NET) -> Teacher:
    """The teacher of these voices. Raises WeightsError where Kokoro is needed and not installed, CheckpointError without its net,
    ValueError for a voice that the net does not know."""
    if voices == ONE_VOICE:
        return OneVoice()
    net, styles = load_voice_net(voice_net)
    if unknown := [name for name in voices if name not in styles]:
        raise ValueError(f"unknown voice {unknown[0]!r}: {voice_net.name} knows {', '.join(styles)}")
    return VoiceTeacher(Kokoro(installed_model(), weights.resolve("g2p") / "vocab.json"), net, {name: styles[name] for name in voices})
