"""How long each phone lasts, decided one phone ahead of the frames: classes 0..23 units of 25 ms."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.talker.config import DURATION_AFTER, DURATION_BEFORE, DURATION_CLASSES, DURATION_HISTORY, TalkerConfig

CONTEXT = DURATION_BEFORE + 1 + DURATION_AFTER


class DurationHead(nn.Module):
    """Phones around one phone, the last durations, the style and the meaning of the word -> logits [N, 24]."""

    def __init__(self, config: TalkerConfig) -> None:
        super().__init__()
        width = config.duration_width
        self.phone = nn.Embedding(config.phones, 32)
        self.past = nn.Embedding(DURATION_CLASSES, 16)
        self.style = nn.Linear(config.style_size, width)
        self.meaning_norm = nn.LayerNorm(config.meaning_size)
        self.meaning = nn.Linear(config.meaning_size, width, bias=False)
        self.first = nn.Linear(CONTEXT * 32 + DURATION_HISTORY * 16, width)
        self.second = nn.Linear(width, width)
        self.out = nn.Linear(width, DURATION_CLASSES)

    def forward(self, phones: Tensor, past: Tensor, style: Tensor, meaning: Tensor) -> Tensor:
        """phones [N, 11], past [N, 4] (most recent last), style [N, S], meaning [N, D] -> [N, 24]."""
        x = torch.cat((self.phone(phones).flatten(-2), self.past(past).flatten(-2)), dim=-1)
        known = meaning.abs().sum(-1, keepdim=True) > 0
        x = self.first(x) + self.style(style) + self.meaning(self.meaning_norm(meaning)) * known
        x = F.gelu(x, approximate="tanh")
        return self.out(x + F.gelu(self.second(x), approximate="tanh"))
