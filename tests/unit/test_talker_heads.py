"""The talker's two heads: codes of a frame level by level, and durations of phones."""

import torch

from a2llm.talker.config import TalkerConfig
from a2llm.talker.depth import DepthHead
from a2llm.talker.durations import CONTEXT, DurationHead

LEVELS, SIZE, LATENT = 3, 5, 4


def head(residual: bool) -> DepthHead:
    torch.manual_seed(0)
    return DepthHead(context=6, width=8, levels=LEVELS, size=SIZE, latent=LATENT, residual=residual).eval()


def test_a_latent_is_the_sum_of_its_codes_and_of_what_remains() -> None:
    books, context = torch.randn(LEVELS, SIZE, LATENT), torch.randn(2, 6)
    uniforms = torch.rand(2, LEVELS)
    with torch.no_grad():
        for levels in (1, LEVELS):
            codes, bare = head(residual=False).sample(context, books, uniforms, [1.0] * LEVELS, 0.01, levels)
            assert codes.shape == (2, levels)
            torch.testing.assert_close(bare, sum(books[level][codes[:, level]] for level in range(levels)))
        with_rest = head(residual=True)
        codes, latent = with_rest.sample(context, books, uniforms, [1.0] * LEVELS, 0.01, 2)
        said = books[0][codes[:, 0]] + books[1][codes[:, 1]]
        assert not torch.allclose(latent, said), "the residual head adds what two levels leave"


def test_training_and_sampling_see_the_same_logits() -> None:
    """With temperature 0 the sampled code of a level is the best one of the training pass over the sums before it."""
    books, context, mine = torch.randn(LEVELS, SIZE, LATENT), torch.randn(4, 6), head(residual=True)
    with torch.no_grad():
        codes, _ = mine.sample(context, books, torch.rand(4, LEVELS), [0.0] * LEVELS, 1.0, LEVELS)
        sums = [torch.zeros(4, LATENT)]
        for level in range(LEVELS):
            sums.append(sums[-1] + books[level][codes[:, level]])
        logits, remains = mine(context, torch.stack(sums))
    assert torch.equal(torch.stack([level.argmax(-1) for level in logits], 1), codes)
    assert len(remains) == LEVELS + 1 and remains[0].shape == (4, LATENT)


def test_a_pause_has_no_word_and_every_input_counts() -> None:
    torch.manual_seed(0)
    config = TalkerConfig(phones=20, hidden_size=8, duration_width=16)
    durations = DurationHead(config).eval()
    phones, past = torch.randint(20, (2, CONTEXT)), torch.randint(24, (2, 4))
    affect, hidden = torch.rand(2, config.affects), torch.randn(2, 8)
    with torch.no_grad():
        made = durations(phones, past, affect, hidden)
        assert made.shape == (2, 24)
        for changed in ((phones + 1) % 20, past), (phones, (past + 1) % 24):
            assert not torch.allclose(durations(*changed, affect, hidden), made)
        assert not torch.allclose(durations(phones, past, 1 - affect, hidden), made)
        durations.meaning_norm.bias.data.fill_(3.0)  # would speak for a pause if it were let through
        silent = durations(phones, past, affect, torch.zeros(2, 8))
        durations.meaning_norm.bias.data.zero_()
        torch.testing.assert_close(durations(phones, past, affect, torch.zeros(2, 8)), silent)
