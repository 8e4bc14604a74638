"""Residual quantization: shapes, fewer levels, learning, determinism."""

import pytest
import torch

from a2llm.layers.quantize import (
    QuantizerConfig,
    ResidualQuantizer,
    fit_residual_kmeans,
    nearest_codes,
    perplexity,
    residual_decode,
    residual_encode,
)

pytestmark = pytest.mark.unit


def _data(seed: int = 0, rows: int = 2000, dim: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(20, dim, generator=generator) * 3
    pick = torch.randint(20, (rows,), generator=generator)
    return centres[pick] + 0.3 * torch.randn(rows, dim, generator=generator)


def test_nearest_is_the_nearest():
    x, book = _data(), _data(1, 64)
    assert torch.equal(nearest_codes(x, book), torch.cdist(x, book).argmin(-1))


def test_each_level_lowers_the_error():
    x = _data()
    books = fit_residual_kmeans(x, 4, 16, 10, torch.Generator().manual_seed(0))
    codes = residual_encode(x[None], books)
    assert codes.shape == (1, 4, 2000)
    errors = [(residual_decode(codes[:, :k], books)[0] - x).square().mean().item() for k in range(1, 5)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.1 * x.var().item()


def test_kmeans_is_deterministic_and_takes_few_rows():
    x = _data(rows=10)
    a, b = (fit_residual_kmeans(x, 2, 16, 3, torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b) and torch.isfinite(a).all()


def test_too_many_levels_is_refused():
    with pytest.raises(ValueError, match="3 levels"):
        residual_decode(torch.zeros(1, 3, 2, dtype=torch.long), torch.zeros(2, 4, 5))


def test_training_moves_the_codebooks_and_eval_does_not():
    generator = torch.Generator().manual_seed(0)
    quantizer = ResidualQuantizer(QuantizerConfig(dim=8, levels=3, size=16))
    x = _data().view(20, 100, 8).requires_grad_()
    out = quantizer(x, generator)
    out.vectors.sum().backward()
    assert x.grad is not None and torch.equal(x.grad, torch.ones_like(x))  # straight through
    before = quantizer.codebooks.clone()
    for _ in range(20):
        quantizer(x.detach(), generator)
    assert not torch.equal(before, quantizer.codebooks)
    quantizer.eval()
    frozen = quantizer.codebooks.clone()
    out = quantizer(x.detach())
    assert torch.equal(frozen, quantizer.codebooks)
    assert torch.equal(quantizer.decode(out.codes), out.vectors)
    assert perplexity(out.codes, 16).min() > 6


def test_dead_entries_come_back():
    generator = torch.Generator().manual_seed(0)
    quantizer = ResidualQuantizer(QuantizerConfig(dim=8, levels=1, size=16, decay=0.5))
    x = _data().view(20, 100, 8)
    quantizer.start(x.reshape(-1, 8), generator)
    quantizer.codebooks[0, 3] = quantizer.sums[0, 3] = 1e3
    for _ in range(20):
        out = quantizer(x, generator)
    assert quantizer.codebooks.abs().max() < 50 and perplexity(out.codes, 16)[0] > 8


def test_training_without_a_generator_is_refused():
    with pytest.raises(ValueError, match="generator"):
        ResidualQuantizer(QuantizerConfig(8, 2, 4))(_data()[None])
