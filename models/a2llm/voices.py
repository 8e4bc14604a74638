"""The speaking half of a step: one frame of sound and motion for many rows. Knows rows and arrays, no reply.

On CPU cores it may run on a thread of its own, beside the backbone: what it does in small pieces leaves a core free half
of the time, and so does the backbone's Python.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from a2llm.audio_codec.codec import AudioCodec
from a2llm.audio_codec.vocoder import Vocoder, VocoderState, VoicePart
from a2llm.layers.state import StreamState
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.config import SamplingConfig
from a2llm.talker.model import FrameBatch
from a2llm.talker.runtime import TalkerRuntime


@dataclass(frozen=True)
class FrameRequest:
    """The next frame of B streams: what the talker is told, uniforms [B, audio + motion levels], rows [B], and of each its
    vocoder and whether it is the last one."""

    frames: FrameBatch
    uniforms: torch.Tensor
    rows: torch.Tensor
    vocoders: Sequence[tuple[VocoderState, bool]]


@dataclass(frozen=True)
class Spoken:
    """motion [B, 2, 61]; sound: of each stream the samples [S] that are now certain, often none at its beginning."""

    motion: np.ndarray
    sound: list[np.ndarray]


class Voices:
    """What the rows of an engine carry from frame to frame, and the models that speak and move."""

    def __init__(self, talker: TalkerRuntime, audio_codec: AudioCodec, motion_codec: MotionCodec, vocoder: Vocoder, rows: int) -> None:
        self._talker, self._audio_codec, self._motion_codec, self._vocoder = talker, audio_codec, motion_codec, vocoder
        self._talker_state, self._motion_state = talker.start(rows), _motion_state(motion_codec, rows)
        self._thread = ThreadPoolExecutor(1, "voices")  # begins with the first use

    def restart(self, row: int) -> None:
        """Make a row fit for a new reply."""
        self._talker.restart(self._talker_state, row)
        self._motion_state.reset(torch.tensor([row]))

    def speak(self, request: FrameRequest, sampling: SamplingConfig, meanwhile: Callable[[], None] | None = None) -> Spoken:
        """One frame for each; `meanwhile` is done beside it."""
        if meanwhile is None:
            return self._speak(request, sampling)
        speaking = self._thread.submit(self._speak, request, sampling)
        try:
            meanwhile()
        finally:  # the rows are this object's own again before anybody hears of an error
            spoken = speaking.result()
        return spoken

    @torch.inference_mode()
    def _speak(self, request: FrameRequest, sampling: SamplingConfig) -> Spoken:
        frame = self._talker.step(request.frames, self._talker_state, request.rows, request.uniforms, sampling)
        voice = self._audio_codec.synthesise(frame.audio_latent[:, None])
        motion = self._move(frame.motion_codes, request.rows)
        hidden, f0_hz = voice.hidden.numpy(), voice.f0_hz.numpy()
        parts = [VoicePart(state, h, f0, last) for (state, last), h, f0 in zip(request.vocoders, hidden, f0_hz, strict=True)]
        return Spoken(motion, self._vocoder.decode_many(parts))

    def _move(self, codes: torch.Tensor, rows: torch.Tensor) -> np.ndarray:
        """Motion codes [B, K] of the given rows -> motion [B, 2, 61]."""
        state = self._motion_state.take(rows)
        motion = self._motion_codec.decode_step(codes[..., None], state)
        self._motion_state.put(rows, state)
        return motion.numpy()


def _motion_state(codec: MotionCodec, rows: int) -> StreamState:
    """The motion decoder's state of rows that have not moved yet."""
    state = StreamState()
    codec.decode_step(torch.zeros(rows, codec.config.levels, 1, dtype=torch.long), state)
    state.reset(torch.arange(rows))
    return state
