"""Drawing codes: temperature and min-p for the talker, top-p for text."""

import pytest
import torch

from a2llm.language.sampling import sample_top_p
from a2llm.talker.config import SamplingConfig
from a2llm.talker.sampling import sample_codes

LOGITS = torch.tensor([0.1, 0.4, 0.3, 0.15, 0.05]).log()


def draw(count: int, temperature: float, min_p: float) -> torch.Tensor:
    """Share of each code over evenly spread uniforms."""
    uniforms = (torch.arange(count) + 0.5) / count
    codes = sample_codes(LOGITS.expand(count, -1), uniforms, temperature, min_p)
    return torch.bincount(codes, minlength=5) / count


def test_codes_follow_their_probabilities():
    assert torch.allclose(draw(10_000, 1.0, 1e-6), LOGITS.exp(), atol=1e-3)


def test_codes_below_the_cut_are_never_drawn():
    kept = torch.tensor([0.0, 0.4, 0.3, 0.0, 0.0])
    assert torch.allclose(draw(10_000, 1.0, 0.5), kept / kept.sum(), atol=1e-3)


def test_temperature():
    sharper = LOGITS.exp() ** 2
    assert torch.allclose(draw(10_000, 0.5, 1e-6), sharper / sharper.sum(), atol=1e-3)
    assert draw(100, 0.0, 0.05).tolist() == [0, 1, 0, 0, 0]
    assert draw(100, 1.0, 1.0).tolist() == [0, 1, 0, 0, 0]


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2**-24, 1.0])
def test_the_ends_of_the_range_hit_likely_codes(uniform: float):
    logits = torch.full((2000, 512), -50.0)
    logits[:, 7], logits[:, 9] = torch.rand(2000, generator=torch.Generator().manual_seed(0)), 0.5
    codes = sample_codes(logits, torch.full((2000,), uniform), 1.0, 0.05)
    assert set(codes.tolist()) == {7 if uniform == 0.0 else 9}


@pytest.mark.parametrize("top_p", [1e-50, 0.39, 0.41, 0.71, 1.0])
def test_a_row_has_a_top_p_of_its_own(top_p: float):
    """Beside a row that may draw everything; the row itself draws as if it were alone with that number."""
    uniforms = (torch.arange(1000) + 0.5) / 1000
    both, ones = LOGITS.expand(2000, -1), torch.ones(1000)
    tokens = sample_top_p(both, uniforms.repeat(2), torch.ones(2000), torch.cat((ones, ones * top_p)))
    alone = sample_top_p(both[:1000], uniforms, 1.0, max(top_p, 1e-6))
    assert tokens[1000:].tolist() == alone.tolist()
    assert len(set(tokens[:1000].tolist())) == 5 and len(set(alone.tolist())) == {1e-50: 1, 0.39: 1, 0.41: 2, 0.71: 3, 1.0: 5}[top_p]


@pytest.mark.parametrize("sample", [lambda x, u: sample_codes(x, u, 0.8, 0.05), lambda x, u: sample_top_p(x, u)])
def test_rows_are_drawn_alone(sample):
    generator = torch.Generator().manual_seed(0)
    logits, uniforms = torch.randn(4, 64, generator=generator), torch.rand(4, generator=generator)
    singles = [sample(logits[i : i + 1], uniforms[i : i + 1]) for i in range(4)]
    assert sample(logits, uniforms).tolist() == torch.cat(singles).tolist()


def test_text_keeps_the_likeliest_share():
    logits = LOGITS.expand(1000, -1)
    uniforms = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    assert set(sample_top_p(logits, uniforms, 1.0, 0.6).tolist()) == {1, 2}
    assert set(sample_top_p(logits, uniforms, 0.0).tolist()) == {1}


@pytest.mark.parametrize(
    "wrong", [{"min_p": 0.0}, {"min_p": 1.1}, {"motion_min_p": 0.0}, {"motion_temperature": -1.0}, {"audio_levels": 9}, {"audio_levels": 0}]
)
def test_settings_that_cannot_be(wrong):
    with pytest.raises(ValueError, match=r"min_p|temperature|level"):
        SamplingConfig(**wrong)
