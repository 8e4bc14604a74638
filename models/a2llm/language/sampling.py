"""Sampling from logits with one uniform number per row, so that a stream's output depends on its own
seed alone and not on who shares its batch."""

import torch
from torch import Tensor

LOWEST_TEMPERATURE = 1e-4  # of a row with temperature 0: the best token takes it all
LOWEST_TOP_P = 1e-6  # the best token is always left


def sample_top_p(
    logits: Tensor, uniforms: Tensor, temperature: float | Tensor = 0.7, top_p: float | Tensor = 0.9, top_k: int = 50
) -> Tensor:
    """Token ids [B] from logits [B, V] and uniforms [B] in 0..1. Temperature and top_p: one, or one per row [B].

    Temperature 0 takes the best token. Of the others only the best that together have the probability top_p are drawn.
    """
    if isinstance(top_p, Tensor):
        top_p = top_p.clamp(min=LOWEST_TOP_P)[:, None]
    if isinstance(temperature, Tensor):
        temperature = temperature.clamp(min=LOWEST_TEMPERATURE)[:, None]
    elif temperature <= 0.0:
        return logits.argmax(-1)
    values, ids = logits.float().topk(min(top_k, logits.shape[-1]), dim=-1)
    probabilities = torch.softmax(values / temperature, dim=-1)
    before = probabilities.cumsum(-1) - probabilities
    probabilities = torch.where(before < top_p, probabilities, torch.zeros_like(probabilities))
    reach = probabilities.cumsum(-1)
    targets = uniforms.to(reach)[:, None] * reach[:, -1:]
    choice = (reach <= targets).sum(-1, keepdim=True).clamp(max=ids.shape[-1] - 1)
    return ids.gather(-1, choice)[:, 0]
