"""The speaking half of a step: one frame of sound and motion for many rows. Knows rows and arrays, no response.

On CPU cores it may run on a thread of its own, beside the backbone: its many small pieces leave a core free half of the time, and so
does the backbone's Python.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from a2llm.audio_codec.vocoder import VocoderState, VoicePart
from a2llm.engine.parts import Parts
from a2llm.layers.state import StreamState
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.config import SamplingConfig
from a2llm.talker.model import FrameBatch


@dataclass(frozen=True)
class FrameRequest:
    """The next frame of B streams: conditioning, uniforms [B, audio + motion levels], rows [B], voices [B], and of each stream its
    vocoder state and whether the frame is its last one."""

    frames: FrameBatch
    uniforms: torch.Tensor
    rows: torch.Tensor
    voices: torch.Tensor
    vocoders: Sequence[tuple[VocoderState, bool]]


@dataclass(frozen=True)
class Frames:
    """motion [B, 2, 61]; pcm: of each stream the samples [S] that are now certain, often none at its beginning."""

    motion: np.ndarray
    pcm: list[np.ndarray]


class Synthesizer:
    """The models that speak and move, and what the rows of an engine carry from frame to frame."""

    def __init__(self, parts: Parts, rows: int) -> None:
        self._talker, self._audio_codec = parts.talker, parts.audio_codec
        self._motion_codec, self._vocoder = parts.motion_codec, parts.vocoder
        self._talker_state, self._motion_state = parts.talker.start(rows), _motion_state(parts.motion_codec, rows)
        self._thread = ThreadPoolExecutor(1, "synthesizer")  # begins with the first use

    @property
    def runs_beside(self) -> bool:
        """The talker gains from running while the backbone reads."""
        return self._talker.beside

    def restart(self, row: int) -> None:
        """Make a row ready for a new response."""
        self._talker.restart(self._talker_state, row)
        self._motion_state.reset(torch.tensor([row]))

    def synthesize(self, request: FrameRequest, sampling: SamplingConfig, meanwhile: Callable[[], None] | None = None) -> Frames:
        """One frame for each stream; `meanwhile` runs beside it, in the caller's thread."""
        if meanwhile is None:
            return self._synthesize(request, sampling)
        running = self._thread.submit(self._synthesize, request, sampling)
        try:
            meanwhile()
        finally:  # no error leaves while the thread still works on the rows
            frames = running.result()
        return frames

    @torch.inference_mode()
    def _synthesize(self, request: FrameRequest, sampling: SamplingConfig) -> Frames:
        frame = self._talker.step(request.frames, self._talker_state, request.rows, request.uniforms, sampling)
        voice = self._audio_codec.synthesise(frame.audio_latent[:, None], request.voices)
        motion = self._move(frame.motion_codes, request.rows)
        hidden, f0_hz = voice.hidden.numpy(), voice.f0_hz.numpy()
        parts = [VoicePart(state, h, f0, last) for (state, last), h, f0 in zip(request.vocoders, hidden, f0_hz, strict=True)]
        return Frames(motion, self._vocoder.decode_many(parts))

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
