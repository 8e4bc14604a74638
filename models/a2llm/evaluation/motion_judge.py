"""A frozen judge of meaning: what does a phrase do and feel like, from the motion alone?

A small convolution over all coefficients and their speeds, trained (`training.motion_judge`) on the motion teacher's own motion. It
knows no words, no sound and no time of speech but where phrases begin and end. It measures; it is no part of the product.
Shapes: B clips, F motion frames, P phrases, N functions.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.affect import AFFECTS
from a2llm.checkpoint import load_component
from a2llm.rig import ARKIT61

FILE = "motion_judge.safetensors"  # beside the other trained parts
BEFORE, AFTER = 4, 12  # frames around a phrase that belong to it: brows rise before the word, a nod ends behind it


@dataclass(frozen=True)
class JudgeConfig:
    """functions: their names, in the order of the labels."""

    functions: tuple[str, ...]
    width: int = 96


@dataclass(frozen=True)
class Verdict:
    """functions [P, N]: probabilities that a phrase does this; affects [P, 5]: shares that add up to 1."""

    functions: np.ndarray
    affects: np.ndarray


class MotionJudge(nn.Module):
    """Motion [B, F, 61] and phrases -> logits of functions and affects.

    threshold [N]: probability from which a function counts as read; readable [N]: whether it can be read from the teacher at all.
    """

    mean: Tensor
    scale: Tensor
    threshold: Tensor
    readable: Tensor

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__()
        self.config, width, inputs = config, config.width, 2 * ARKIT61.size
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.register_buffer("threshold", torch.full((len(config.functions),), 0.5))
        self.register_buffer("readable", torch.ones(len(config.functions)))
        self.body = nn.Sequential(
            nn.Conv1d(inputs, width, 5, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, padding=4, dilation=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, padding=8, dilation=4),
            nn.GELU(),
        )
        self.functions = nn.Linear(2 * width, len(config.functions))
        self.affects = nn.Linear(2 * width, len(AFFECTS))

    def forward(self, motion: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """motion [B, F, 61], inside [B, P, F] bool: frames of every phrase -> logits [B, P, N] and [B, P, 5]."""
        x = (features(motion) - self.mean) / self.scale
        x = self.body(x.transpose(1, 2))[:, None]  # [B, 1, W, F]
        seen = inside[:, :, None]
        mean = (x * seen).sum(-1) / seen.sum(-1).clamp(min=1)
        most = x.masked_fill(~seen, -1e4).amax(-1)
        pooled = torch.cat((mean, most), -1)
        return self.functions(pooled), self.affects(pooled)

    @torch.no_grad()
    def read(self, motion: np.ndarray, spans: np.ndarray) -> Verdict:
        """Verdict on the phrases of one clip: motion [F, 61], spans [P, 2] first and last frame + 1."""
        functions, affects = self(torch.from_numpy(np.float32(motion))[None], torch.from_numpy(frames_inside(spans, len(motion)))[None])
        return Verdict(functions[0].sigmoid().numpy(), affects[0].softmax(-1).numpy())


def features(motion: Tensor) -> Tensor:
    """Coefficients and their change from frame to frame: [B, F, 61] -> [B, F, 122]."""
    return torch.cat((motion, torch.diff(motion, dim=1, prepend=motion[:, :1])), -1)


def frames_inside(spans: np.ndarray, frames: int) -> np.ndarray:
    """Mask [P, F] of the frames that belong to each phrase."""
    places = np.arange(frames)
    return (places >= spans[:, :1] - BEFORE) & (places < spans[:, 1:] + AFTER)


def load_motion_judge(file: Path) -> MotionJudge:
    """The frozen judge. Raises CheckpointError when the file is missing, damaged or something else."""
    part = load_component(file, "motion_judge")
    judge = MotionJudge(JudgeConfig(tuple(part.config["functions"]), int(part.config["width"])))
    judge.load_state_dict(part.tensors)
    return judge.eval().requires_grad_(False)
