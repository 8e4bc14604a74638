"""How the talker draws a code: temperature, then everything below a share of the best code's probability is cut
(min-p, arXiv 2407.01082), then inversion of the cumulated rest. No sorting, so that it is cheap inside a graph."""

import math

import torch
from torch import Tensor

BELOW_ONE = 1.0 - 2.0**-20  # a uniform is kept so far below 1 that rounding cannot point behind the last code
LOWEST_TEMPERATURE = 1e-6  # temperature 0 takes the best code


def sharpness(temperature: float) -> float:
    """Factor on the logits at a temperature."""
    return 1.0 / max(temperature, LOWEST_TEMPERATURE)


def log_cut(min_p: float) -> float:
    """Distance from the best logit at which codes are cut. Raises ValueError outside (0, 1]."""
    if not 0.0 < min_p <= 1.0:
        raise ValueError("min_p must be above 0 and at most 1")
    return math.log(min_p)


def sample_codes(logits: Tensor, uniforms: Tensor, temperature: float, min_p: float) -> Tensor:
    """Codes [N] from logits [N, V] with uniforms [N] in 0..1: a row's code depends on nothing but its own row."""
    scaled = (logits - logits.amax(-1, keepdim=True)) * sharpness(temperature)
    reach = torch.where(scaled >= log_cut(min_p), scaled.exp(), 0.0).cumsum(-1)
    targets = (uniforms * BELOW_ONE)[:, None] * reach[:, -1:]
    return (reach <= targets).sum(-1)
