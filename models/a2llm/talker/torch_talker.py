"""The talker on a GPU: `Talker`'s interface over a static step that speaks a frame for every row at once.

What a frame needs goes up in one transfer, what it made comes down in one. It computes in float32: in bfloat16 a few codes
in a hundred come out otherwise (docs/scaling.md), and a response that moves between machines must go on as it began.
"""

from copy import deepcopy
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import torch
from torch import Tensor

from a2llm.layers.device import upload
from a2llm.layers.static_step import StaticStep, memory_pool
from a2llm.talker.config import COUNT_SLOTS, PHONE_SLOTS, SamplingConfig, TalkerConfig
from a2llm.talker.model import FrameBatch, Talker, TalkerFrame, TalkerState


@dataclass
class TalkerRows:
    """State of the rows between frames, and the steps that work on it.

    given [rows, W]: phones, counts, meaning, style, uniforms and whether the row takes part, side by side as floats;
    made [rows, D + levels]: audio latent, audio codes, motion codes. Whole numbers are small enough for floats to hold.
    """

    state: TalkerState
    given: Tensor
    made: Tensor
    pool: Any
    steps: dict[SamplingConfig, StaticStep] = field(default_factory=dict[SamplingConfig, StaticStep])


class TorchTalker:
    """A Talker on any device, which it is moved to. Everything goes in and comes out on the CPU."""

    beside = False

    def __init__(self, talker: Talker, device: torch.device | str) -> None:
        self.config = talker.config
        # Each phone's duration is needed before the next one's can be asked for, and a word's meaning before both: a way to the GPU and
        # back would take longer.
        self.durations, self.connector = deepcopy(talker.durations).cpu(), deepcopy(talker.connector)
        if self.connector is not None:
            self.connector.cpu()
        self._talker, self._device = talker.to(device), torch.device(device)

    def start(self, rows: int) -> TalkerRows:
        given = torch.zeros(rows, sum(_widths(self.config)), device=self._device)
        made = torch.zeros(rows, self.config.audio_latent + self.config.audio_levels + self.config.motion_levels, device=self._device)
        return TalkerRows(self._talker.start(rows), given, made, memory_pool(self._device))

    def restart(self, state: TalkerRows, row: int) -> None:
        """Make a row fit for a new response."""
        self._talker.restart(state.state, row)

    @torch.inference_mode()
    def step(self, frames: FrameBatch, state: TalkerRows, rows: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame:
        """Sample one frame for the given rows [B] of the state; uniforms [B, audio + motion levels] in 0..1."""
        step, given = self._static(state, sampling), torch.zeros(state.given.shape)
        given[rows] = torch.cat([*(getattr(frames, f.name).float() for f in fields(frames)), uniforms, torch.ones(len(rows), 1)], 1)
        state.given.copy_(upload(given, self._device), non_blocking=True)
        step()
        c = self.config
        widths = [c.audio_latent, sampling.audio_levels, c.motion_levels, c.audio_levels - sampling.audio_levels]
        latent, audio, motion, _ = torch.split(state.made.cpu()[rows], widths, 1)
        return TalkerFrame(audio.long(), latent, motion.long())

    def _static(self, state: TalkerRows, sampling: SamplingConfig) -> StaticStep:
        """The step for this way of sampling, made on first use."""
        if sampling not in state.steps:
            state.given.zero_()  # nobody takes part
            frame = partial(_speak, self._talker, state.state, state.given, state.made, sampling)
            state.steps[sampling] = StaticStep(frame, self._device, state.pool)
        return state.steps[sampling]


def _widths(config: TalkerConfig) -> list[int]:
    """Widths of the parts of `TalkerRows.given`, in their order."""
    return [PHONE_SLOTS, COUNT_SLOTS, config.meaning_size, config.style_size, config.audio_levels + config.motion_levels, 1]


def _speak(talker: Talker, state: TalkerState, given: Tensor, made: Tensor, sampling: SamplingConfig) -> None:
    phones, counts, meaning, style, uniforms, active = torch.split(given, _widths(talker.config), 1)
    frames = FrameBatch(phones.long(), counts.long(), meaning, style)
    frame = talker.step_all(frames, state, active[:, 0] > 0, uniforms, sampling)
    drawn = torch.cat((frame.audio_latent, frame.audio_codes.float(), frame.motion_codes.float()), 1)
    made[:, : drawn.shape[1]] = drawn
