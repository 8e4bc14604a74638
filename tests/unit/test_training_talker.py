"""The talker's training reads codes as the codecs write them: [B, K, T]."""

import torch

from a2llm.layers.quantize import residual_decode, residual_encode
from a2llm.training.talker import partial_sums, sum_cross_entropy


def test_partial_sums_are_the_codecs_own_with_fewer_levels() -> None:
    books = torch.randn(3, 8, 4, generator=torch.Generator().manual_seed(0))
    codes = residual_encode(torch.randn(2, 5, 4, generator=torch.Generator().manual_seed(1)), books)  # [B, K, T]
    sums = partial_sums(codes, books)
    assert sums.shape == (4, 2, 5, 4) and not sums[0].any()
    for levels in (1, 2, 3):
        assert torch.allclose(sums[levels], residual_decode(codes[:, :levels], books))


def test_cross_entropy_pairs_levels_with_their_logits() -> None:
    codes = torch.tensor([[0, 1], [2, 3]])  # [K, N]
    logits = [torch.nn.functional.one_hot(level, 4) * 100.0 for level in codes]
    assert float(sum_cross_entropy(logits, codes)) < 1e-6
    assert float(sum_cross_entropy(logits, codes.flip(0))) > 100
