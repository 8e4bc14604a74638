"""Responses generated free-running, end to end, with everything that is measured on them, and the teacher's motion for the same
speech. T audio frames, 2T motion frames, 4T voice frames, P phones."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import torch
from torch import Tensor

from a2llm.affect import Affect
from a2llm.api import A2LLM
from a2llm.audio_codec.codec import AudioCodec
from a2llm.audio_codec.frames import VoiceFrames
from a2llm.clock import FrameClock
from a2llm.data.motion_teacher import teach_plain
from a2llm.engine import Engine
from a2llm.evaluation.progress import Steps
from a2llm.evaluation.sentences import Question, forced_affects

TEACHER_SEED = 2_000_000_000  # beyond every seed of the training data
ENERGY_WINDOW_SAMPLES = 1200
_HOP = 300


@dataclass(frozen=True)
class Clip:
    """One generated response. durations in units of 25 ms that fill the motion exactly; f0 in Hz, 0 where unvoiced."""

    question: str
    text: str
    affect: Affect
    phones: str
    durations: np.ndarray  # [P]
    f0_hz: np.ndarray  # [4T]
    pcm: np.ndarray  # [S]
    motion: np.ndarray  # [2T, 61]
    compute_s: float
    sample_rate_hz: int = FrameClock.sample_rate_hz

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.sample_rate_hz


class _ListeningCodec:
    """The audio codec, keeping the pitch of every latent it is given."""

    def __init__(self, codec: AudioCodec) -> None:
        self._codec, self.config = codec, codec.config
        self.f0_hz: list[np.ndarray] = []

    def synthesise(self, latents: Tensor, voices: Tensor | None = None) -> VoiceFrames:
        frames = self._codec.synthesise(latents, voices)
        self.f0_hz.append(frames.f0_hz[0].numpy().copy())
        return frames


class Interviewer:
    """Asks one model question after question; every response starts a new conversation."""

    def __init__(self, model: A2LLM) -> None:
        parts = model.engine.parts
        self._codec = _ListeningCodec(parts.audio_codec)
        listening = replace(parts, audio_codec=cast(AudioCodec, self._codec))
        self._model = A2LLM(Engine(listening), model.persona)

    def ask(self, question: Question, seed: int, affect: Affect | None = None) -> Clip:
        """Generates the whole response; `affect` overrides what the model would choose."""
        self._model.restart()
        self._codec.f0_hz = []
        started = time.perf_counter()
        steps = list(self._model.respond(question.text, affect, seed, question.voice))
        elapsed = time.perf_counter() - started
        response = self._model.response
        assert response is not None and response.affect is not None
        motion = _joined([step.motion for step in steps], (0, 61))
        symbols = response.talker.phones.table.symbols()
        return Clip(
            question.text,
            " ".join(response.words),
            response.affect,
            "".join(symbols[p] for p in response.talker.phones.phones),
            filled(np.asarray(response.talker.durations, np.int64), len(motion)),
            _joined(self._codec.f0_hz, (0,)),
            _joined([step.pcm for step in steps], (0,)),
            motion,
            elapsed,
            self._model.engine.parts.clock.sample_rate_hz,
        )


def _joined(parts: Sequence[np.ndarray], empty: tuple[int, ...]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(empty, np.float32)


def filled(durations: np.ndarray, units: int) -> np.ndarray:
    """Durations [P] whose last one takes up the half frame that may be left. Raises ValueError for more than that."""
    rest = units - int(durations.sum())
    if rest == 0:
        return durations
    if not len(durations) or rest != 1:
        raise ValueError(f"phones of {int(durations.sum())} units do not fill {units} motion frames")
    return np.concatenate((durations[:-1], [durations[-1] + rest]))


def natural_clips(model: A2LLM, asked: Sequence[Question], seed: int, steps: Steps) -> list[Clip]:
    """Generates one response to each question, with the affect that the model chooses."""
    interviewer, clips = Interviewer(model), []
    for index, question in enumerate(asked):
        clips.append(interviewer.ask(question, seed * 10_000 + index))
        steps.tick()
    return clips


def forced_clips(model: A2LLM, asked: Sequence[Question], seed: int, steps: Steps) -> list[Clip]:
    """Generates a response to each question in all five affects. The words are the same in all: only voice and face may differ."""
    interviewer, clips = Interviewer(model), []
    for index, question in enumerate(asked):
        for affect in forced_affects(index, seed):
            clips.append(interviewer.ask(Question(question.text, Affect()), seed * 10_000 + index, affect))
            steps.tick()
    return clips


def energy_db(pcm: np.ndarray, frames: int) -> np.ndarray:
    """Loudness [frames] of pcm [S] at 80 Hz in dB: mean square under a Hann window of 50 ms around each voice frame."""
    from scipy.signal import fftconvolve

    window = np.hanning(ENERGY_WINDOW_SAMPLES + 1)
    power = np.maximum(fftconvolve(np.square(pcm.astype(np.float64)), window / window.sum(), mode="same"), 0)
    centres = np.minimum(np.arange(frames) * _HOP + _HOP // 2, len(pcm) - 1)
    return (10 * np.log10(power[centres] + 1e-10)).astype(np.float32)


@torch.no_grad()
def teacher_motion(clip: Clip, seed: int) -> np.ndarray:
    """Motion [2T, 61] that the teacher makes from the generated speech: its phones, durations, pitch and loudness."""
    loud = energy_db(clip.pcm, len(clip.f0_hz))
    return teach_plain(clip.phones, clip.durations, clip.f0_hz, loud, clip.affect, TEACHER_SEED + seed)
