"""The vocoder with gradients is the vocoder; its distance falls when the sounds come closer."""

import numpy as np
import torch

from a2llm.audio_codec.vocoder import Vocoder
from a2llm.training.vocoder_loss import distance, mel_filters, pulses, synthesise

BINS, WIDTH, RATE_HZ = 33, 6, 24_000
HOP = (BINS - 1) // 2


def voice(frames: int = 60) -> tuple[torch.Tensor, np.ndarray]:
    generator = torch.Generator().manual_seed(0)
    f0 = np.full(frames, 180.0, np.float32)
    f0[20:28] = 0.0
    return torch.randn(1, frames, WIDTH, generator=generator), f0


def head(noise: float) -> tuple[torch.Tensor, torch.Tensor]:
    weight = 0.3 * torch.randn(WIDTH, 5 * BINS, generator=torch.Generator().manual_seed(1))
    bias = torch.zeros(5 * BINS)
    weight[:, 2 * BINS : 3 * BINS] = 0.0
    bias[2 * BINS : 3 * BINS] = noise  # of the log of its size
    return weight, bias


def test_it_makes_what_the_vocoder_makes() -> None:
    hidden, f0 = voice()
    weight, bias = head(noise=-20.0)
    vocoder = Vocoder(weight.numpy(), bias.numpy())
    state = vocoder.start(0)
    state.phase = float(np.random.default_rng(0).random())  # as `pulses` begins
    wanted = vocoder.decode(state, hidden[0].numpy(), f0, last=True)
    made = synthesise(hidden, torch.from_numpy(pulses(f0, BINS, 0))[None], weight, bias, RATE_HZ)[0]
    np.testing.assert_allclose(made.numpy(), wanted, atol=2e-4)


def test_noise_has_the_vocoder_s_size() -> None:
    hidden, f0 = voice(400)
    weight, bias = head(noise=1.0)
    wanted = Vocoder(weight.numpy(), bias.numpy())
    one = wanted.decode(wanted.start(3), hidden[0].numpy(), 0 * f0, last=True)
    other = synthesise(hidden, torch.zeros(1, len(f0) * HOP), weight, bias, RATE_HZ, torch.Generator().manual_seed(0))
    assert abs(float(other.std()) / one.std() - 1) < 0.1


def test_the_distance_falls_and_gradients_arrive() -> None:
    generator = torch.Generator().manual_seed(2)
    wanted, other = (torch.randn(1, 6000, generator=generator) for _ in range(2))
    assert float(distance(wanted, wanted, RATE_HZ)) < 1e-6
    near, far = (float(distance(wanted + share * other, wanted, RATE_HZ)) for share in (0.1, 1.0))
    assert 0 < near < far
    hidden, f0 = voice(200)
    hidden.requires_grad_(True)
    weight, bias = head(noise=-3.0)
    made = synthesise(hidden, torch.from_numpy(pulses(f0, BINS, 0))[None], weight, bias, RATE_HZ)
    distance(made, torch.randn(made.shape, generator=generator), RATE_HZ).backward()
    assert hidden.grad is not None and bool(torch.isfinite(hidden.grad).all()) and float(hidden.grad.abs().sum()) > 0


def test_filters_cover_the_spectrum() -> None:
    filters = mel_filters(512, 40, RATE_HZ)
    assert filters.shape == (40, 257) and torch.allclose(filters.sum(1), torch.ones(40), atol=1e-3)
