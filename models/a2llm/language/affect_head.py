"""The response's affect, read from the backbone's hidden state at the point where the response begins."""

import torch
from torch import Tensor, nn

from a2llm.affect import AFFECTS, Affect


class AffectHead(nn.Module):
    """Hidden state [B, D] -> category logits [B, 5] and intensity [B] in 0..1."""

    def __init__(self, hidden_size: int, width: int = 64) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden_size)
        self.inner = nn.Linear(hidden_size, width)
        self.category = nn.Linear(width, len(AFFECTS))
        self.intensity = nn.Linear(width, 1)

    def forward(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden states [..., D] -> logits of the categories [..., 5] and intensities [...] in 0..1."""
        inner = torch.tanh(self.inner(self.norm(hidden.float())))
        return self.category(inner), torch.sigmoid(self.intensity(inner))[..., 0]

    @torch.inference_mode()
    def choose(self, hidden: Tensor) -> Affect:
        """The affect of one response, hidden [D]."""
        logits, intensity = self(hidden[None])
        category = AFFECTS[int(logits[0].argmax())]
        level = float(intensity[0]) if category != "neutral" else 0.0
        return Affect(category, min(max(level, 0.0), 1.0))
