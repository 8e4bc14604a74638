"""The talker: one causal model that speaks and moves from what the words mean.

Per frame it reads the phones around the frame, the gated meaning of the word (`connector`: from the backbone's states), the style
and its own last frame; it writes audio codes level by level, then the motion codes of the same frame, which
see the audio just sampled. With its connector it follows the Motion Connector of arXiv 2602.04913, section 3.
Shapes: B rows, T frames, K levels, D latent.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.talker.config import COUNT_CLIP, COUNT_SLOTS, PHONE_SLOTS, SamplingConfig, TalkerConfig
from a2llm.talker.connector import Connector
from a2llm.talker.depth import DepthHead
from a2llm.talker.durations import DurationHead
from a2llm.talker.trunk import Trunk, TrunkState


@dataclass
class TalkerState:
    """State of the rows between frames: the trunk's ring and the last frame's latents."""

    trunk: TrunkState
    audio: Tensor  # [B, 192]
    motion: Tensor  # [B, 64]


@dataclass(frozen=True)
class FrameBatch:
    """Conditioning of one frame per row, or of whole sequences with a T dimension after B."""

    phones: Tensor  # [B, 14] int64
    counts: Tensor  # [B, 4] int64
    meaning: Tensor  # [B, D] of the word, zeros where there is none
    style: Tensor  # [B, S], see `style`


@dataclass(frozen=True)
class TalkerFrame:
    """One sampled frame per row."""

    audio_codes: Tensor  # [B, K]
    audio_latent: Tensor  # [B, 192]
    motion_codes: Tensor  # [B, 6]


SOUND_AHEAD = 2  # frames that a talker that sees only the sound looks ahead: 100 ms, as the others know the phones


def shift(x: Tensor) -> Tensor:
    """Each frame sees the frame before it; the first sees silence. [B, T, D]"""
    return F.pad(x, (0, 0, 1, 0))[:, :-1]


def ahead(x: Tensor) -> Tensor:
    """Each frame sees the sound SOUND_AHEAD frames later; the last ones see silence. [B, T, D]"""
    return F.pad(x, (0, 0, 0, SOUND_AHEAD))[:, SOUND_AHEAD:]


class Talker(nn.Module):
    """Holds the codebooks of both codecs as buffers: a talker only fits the codecs it was trained with."""

    count_offset: Tensor
    audio_codebooks: Tensor  # [K, V, D]
    motion_codebooks: Tensor

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        self.config = c = config
        self.phone = nn.Embedding(c.phones, c.phone_width)
        self.count = nn.Embedding(COUNT_SLOTS * (COUNT_CLIP + 1), c.count_width)
        self.register_buffer("count_offset", torch.arange(COUNT_SLOTS) * (COUNT_CLIP + 1), persistent=False)
        self.text = nn.Linear(PHONE_SLOTS * c.phone_width + COUNT_SLOTS * c.count_width, c.width)
        self.last_audio = nn.Linear(c.audio_latent, c.width)
        self.last_motion = nn.Linear(c.motion_latent, c.width)
        self.style = nn.Linear(c.style_size, c.width)
        self.connector = Connector(c) if c.connector_width else None
        self.meaning_norm = nn.LayerNorm(c.meaning_size)
        self.meaning = nn.Linear(c.meaning_size, c.width, bias=False)
        self.gate = nn.Linear(c.width, c.width)
        self.trunk = Trunk(c)
        self.audio_head = DepthHead(c.width, c.width, c.audio_levels, c.audio_size, c.audio_latent, residual=True)
        self.motion_head = DepthHead(
            c.width + c.audio_latent, c.motion_width, c.motion_levels, c.motion_size, c.motion_latent, residual=False
        )
        self.durations = DurationHead(c)
        self.register_buffer("audio_codebooks", torch.zeros(c.audio_levels, c.audio_size, c.audio_latent))
        self.register_buffer("motion_codebooks", torch.zeros(c.motion_levels, c.motion_size, c.motion_latent))

    def condition(self, frames: FrameBatch, audio: Tensor, motion: Tensor) -> Tensor:
        """Trunk input [..., width] from conditioning and the previous frame's latents [..., D]; `ahead` says which sound where only that
        is seen."""
        if self.config.only_sound:
            return self.last_audio(audio) + self.last_motion(motion)
        phones = self.phone(frames.phones).flatten(-2)
        counts = self.count(frames.counts + self.count_offset).flatten(-2)
        x = self.text(torch.cat((phones, counts), dim=-1)) + self.style(frames.style)
        known = frames.meaning.abs().sum(-1, keepdim=True) > 0
        meaning = self.meaning(self.meaning_norm(frames.meaning)) * known
        x = x + torch.sigmoid(self.gate(x)) * meaning
        return x + self.last_audio(audio) + self.last_motion(motion)

    def start(self, rows: int) -> TalkerState:
        weight = self.last_audio.weight
        return TalkerState(
            self.trunk.start(rows), weight.new_zeros(rows, self.config.audio_latent), weight.new_zeros(rows, self.config.motion_latent)
        )

    def restart(self, state: TalkerState, row: int) -> None:
        """Make a row fit for a new response."""
        state.trunk.position[row] = 0
        state.audio[row], state.motion[row] = 0.0, 0.0

    @torch.inference_mode()
    def step(self, frames: FrameBatch, state: TalkerState, rows: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame:
        """Sample one frame for the given rows [B] of the state; uniforms [B, audio + motion levels] in 0..1."""
        x = self.trunk.step(self.condition(frames, state.audio[rows], state.motion[rows]), state.trunk, rows)
        frame, motion = self._draw(x, uniforms, sampling)
        state.audio[rows], state.motion[rows] = frame.audio_latent, motion
        return frame

    @torch.inference_mode()
    def step_all(self, frames: FrameBatch, state: TalkerState, active: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> TalkerFrame:
        """`step` for all rows, in shapes and memory that never change; nothing happens to those that are not `active` [rows]."""
        x = self.trunk.step_all(self.condition(frames, state.audio, state.motion), state.trunk, active)
        frame, motion = self._draw(x, uniforms, sampling)
        for held, new in ((state.audio, frame.audio_latent), (state.motion, motion)):
            held.copy_(torch.where(active[:, None], new, held))
        return frame

    def _draw(self, x: Tensor, uniforms: Tensor, sampling: SamplingConfig) -> tuple[TalkerFrame, Tensor]:
        """Sample a frame from what the trunk made [B, width]; with it, the latents of its motion [B, 64]."""
        split = self.config.audio_levels
        audio_codes, audio = self.audio_head.sample(
            x, self.audio_codebooks, uniforms[:, :split], list(sampling.audio_temperature), sampling.min_p, sampling.audio_levels
        )
        motion_codes, motion = self.motion_head.sample(
            torch.cat((x, audio), dim=-1),
            self.motion_codebooks,
            uniforms[:, split:],
            [sampling.motion_temperature] * self.config.motion_levels,
            sampling.motion_min_p,
            self.config.motion_levels,
        )
        return TalkerFrame(audio_codes, audio, motion_codes), motion
