"""A frozen judge: which affect does a face show when its mouth is hidden?

A small convolution over mouth-masked arkit61 motion, trained (`training.affect_classifier`) on teacher motion whose sentences
and seeds are disjoint from every evaluation. It measures; it is no part of the product.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.affect import AFFECTS
from a2llm.checkpoint import load_component
from a2llm.rig import ARKIT61

FILE = "affect_classifier.safetensors"  # beside the other trained parts
WINDOW_FRAMES = 80  # 2 s, enough to see past one blink or one raised brow


class AffectClassifier(nn.Module):
    """Mouth-masked motion [B, F, 61] -> logits [B, 5] in the order of AFFECTS."""

    mean: Tensor
    scale: Tensor
    seen: Tensor

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        seen = ARKIT61.group("not_mouth")
        self.register_buffer("seen", torch.from_numpy(seen))
        self.register_buffer("mean", torch.zeros(len(seen)))
        self.register_buffer("scale", torch.ones(len(seen)))
        self.body = nn.Sequential(
            nn.Conv1d(len(seen), width, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.GELU(),
        )
        self.head = nn.Linear(2 * width, len(AFFECTS))

    def forward(self, motion: Tensor) -> Tensor:
        """Logits [B, 5] of the affects, from motion [B, F, 61] without its mouth."""
        x = (motion[..., self.seen] - self.mean) / self.scale
        x = self.body(x.transpose(1, 2))  # [B, W, F / 4]
        return self.head(torch.cat([x.mean(-1), x.amax(-1)], dim=-1))

    @torch.no_grad()
    def predict(self, motion: np.ndarray) -> int:
        """Index into AFFECTS for one clip [F, 61]; mean of the probabilities of its 2 s windows."""
        starts = range(0, max(len(motion) - WINDOW_FRAMES // 2, 1), WINDOW_FRAMES // 2)
        parts = [torch.from_numpy(np.float32(motion[at : at + WINDOW_FRAMES]))[None] for at in starts]
        chance = torch.stack([self(part).softmax(-1)[0] for part in parts])
        return int(chance.mean(0).argmax())


def load_affect_classifier(file: Path) -> AffectClassifier:
    """The frozen judge. Raises CheckpointError when the file is missing, damaged or something else."""
    part = load_component(file, "affect_classifier")
    judge = AffectClassifier(int(part.config["width"]))
    judge.load_state_dict(part.tensors)
    return judge.eval().requires_grad_(False)
