"""Depth head: the codes of one frame, level by level, each seeing the sum of the levels before it.

Predicts at every level both the next code and what remains of the latent, so that one head serves
any number of levels: k codes plus the predicted residual.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.talker.sampling import sample_codes


class DepthHead(nn.Module):
    """Context [N, C] and codebooks [K, V, D] -> codes [N, K] and latents [N, D]."""

    def __init__(self, context: int, width: int, levels: int, size: int, latent: int, residual: bool) -> None:
        super().__init__()
        self.levels, self.residual = levels, residual
        stages = levels + (1 if residual else 0)
        self.from_context = nn.Linear(context, stages * width)
        self.from_latent = nn.ModuleList(nn.Linear(latent, width, bias=False) for _ in range(stages))
        self.inner = nn.ModuleList(nn.Linear(width, width) for _ in range(stages))
        self.logits = nn.ModuleList(nn.Linear(width, size) for _ in range(levels))
        self.remains = nn.ModuleList(nn.Linear(width, latent) for _ in range(stages if residual else 0))

    def _stage(self, level: int, context: Tensor, latent: Tensor) -> Tensor:
        hidden = F.gelu(context + self.from_latent[level](latent), approximate="tanh")
        return hidden + F.gelu(self.inner[level](hidden), approximate="tanh")

    def forward(self, context: Tensor, partial: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Training: partial sums [K + 1, N, D] of the true codes (0 levels first) -> logits [N, V] and
        predicted remainders [N, D] per stage."""
        contexts = self.from_context(context).chunk(len(self.inner), dim=-1)
        stages = [self._stage(q, contexts[q], partial[q]) for q in range(len(self.inner))]
        return ([self.logits[q](stages[q]) for q in range(self.levels)], [self.remains[q](stages[q]) for q in range(len(self.remains))])

    def sample(
        self, context: Tensor, codebooks: Tensor, uniforms: Tensor, temperatures: list[float], min_p: float, levels: int
    ) -> tuple[Tensor, Tensor]:
        """Codes [N, levels] and latents [N, D] with uniforms [N, K]; the residual head adds what is left."""
        contexts = self.from_context(context).chunk(len(self.inner), dim=-1)
        latent = context.new_zeros(context.shape[0], codebooks.shape[-1])
        codes: list[Tensor] = []
        for level in range(levels):
            logits = self.logits[level](self._stage(level, contexts[level], latent))
            code = sample_codes(logits, uniforms[:, level], temperatures[level], min_p)
            latent = latent + codebooks[level][code]
            codes.append(code)
        if self.residual:
            latent = latent + self.remains[levels](self._stage(levels, contexts[levels], latent))
        return torch.stack(codes, dim=1), latent
