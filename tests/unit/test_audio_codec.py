"""Voice frames and latents and codes, there and back."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.models import tiny

from a2llm.audio_codec.codec import AudioCodec, AudioCodecConfig, fit_audio_codec
from a2llm.audio_codec.frames import VoiceFrames, head_metric, stack_frames, unstack_frames
from a2llm.components import load_audio_codec, save_audio_codec

WIDTH, BINS = 6, 33


def voice(frames: int, width: int = WIDTH, seed: int = 0) -> VoiceFrames:
    generator = torch.Generator().manual_seed(seed)
    f0 = 120 + 200 * torch.rand(1, frames, generator=generator)
    unvoiced = torch.rand(1, frames, generator=generator) < 0.3
    return VoiceFrames(torch.randn(1, frames, width, generator=generator), f0.masked_fill(unvoiced, 0.0))


def test_stacking_is_lossless():
    frames, metric = voice(40), torch.eye(WIDTH) * 2 + 0.1
    vectors = stack_frames(frames, metric, 3.0, 4)
    assert vectors.shape == (1, 10, 4 * (WIDTH + 2))
    back = unstack_frames(vectors, torch.linalg.inv(metric), 3.0, 4)
    assert torch.allclose(back.hidden, frames.hidden, atol=1e-5)
    assert torch.allclose(back.f0_hz, frames.f0_hz, atol=1e-2)


def test_a_part_of_an_audio_frame_is_refused():
    with pytest.raises(ValueError, match="whole number"):
        stack_frames(voice(6), torch.eye(WIDTH), 1.0, 4)


def test_the_metric_counts_what_the_head_hears():
    """A direction that no bin of the head reads weighs least, one that low bins read more than one of high bins."""
    weight = torch.zeros(3, 5 * BINS)
    weight[0, 1], weight[1, BINS - 1] = 1.0, 1.0
    lengths = head_metric(weight, BINS, 24_000).norm(dim=1)
    assert lengths[0] > lengths[1] > lengths[2] > 0


@pytest.fixture(scope="module")
def fitted() -> AudioCodec:
    generator = torch.Generator().manual_seed(1)
    weight, bias = torch.randn(WIDTH, 5 * BINS, generator=generator), torch.zeros(5 * BINS)
    config = AudioCodecConfig(levels=4, size=16, latent=4 * (WIDTH + 2), width=WIDTH, bins=BINS)
    return fit_audio_codec({"ada": voice(2000)}, weight, bias, config, iters=5)


def test_latents_are_exact_with_a_whole_basis(fitted: AudioCodec):
    frames = voice(80, seed=3)
    latents = fitted.analyse(frames)
    back = fitted.synthesise(latents)
    assert torch.allclose(back.hidden, frames.hidden, atol=1e-3)
    assert torch.allclose(back.f0_hz, frames.f0_hz, atol=0.5)
    assert abs(float(fitted.analyse(voice(2000)).std()) - 1.0) < 0.05


def test_every_level_comes_closer(fitted: AudioCodec):
    latents = fitted.analyse(voice(400))
    codes = fitted.quantize(latents)
    assert codes.shape == (1, 4, 100)
    errors = [float((fitted.dequantize(codes[:, :k]) - latents).square().mean()) for k in range(1, 5)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.8 * errors[0]
    with pytest.raises(ValueError, match="levels"):
        fitted.dequantize(torch.zeros(1, 5, 3, dtype=torch.long))


def test_fitting_repeats(fitted: AudioCodec):
    again = fit_audio_codec({"ada": voice(2000)}, fitted.head_weight, fitted.head_bias, fitted.config, iters=5)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), fitted.state_dict().values(), strict=True))


@pytest.fixture(scope="module")
def of_two(fitted: AudioCodec) -> tuple[AudioCodec, VoiceFrames, VoiceFrames]:
    """A codec of two voices that say the same: the second lower and darker."""
    high = voice(2000)
    low = VoiceFrames(high.hidden + 3.0, high.f0_hz * 0.5)
    return fit_audio_codec({"high": high, "low": low}, fitted.head_weight, fitted.head_bias, fitted.config, iters=5), high, low


def test_codes_say_what_and_the_voice_says_who(of_two: tuple[AudioCodec, VoiceFrames, VoiceFrames]):
    codec, high, low = of_two
    assert codec.config.voices == ("high", "low")
    latents = [codec.analyse(frames, index) for index, frames in enumerate((high, low))]
    assert torch.allclose(*latents, atol=0.05), "the same words have the same latents"
    both = codec.synthesise(torch.cat(latents), torch.tensor([0, 1]))
    assert torch.allclose(both.hidden[1] - both.hidden[0], torch.full_like(both.hidden[0], 3.0), atol=0.1)
    voiced = both.f0_hz[0] > 0
    assert torch.allclose(both.f0_hz[1][voiced] / both.f0_hz[0][voiced], torch.full((int(voiced.sum()),), 0.5), atol=0.02)
    other = codec.synthesise(latents[0], torch.tensor([1]))
    assert torch.allclose(other.hidden, low.hidden, atol=0.1), "one voice's words in the other voice"


def test_a_voice_is_kept_with_the_codec(of_two: tuple[AudioCodec, VoiceFrames, VoiceFrames], fitted: AudioCodec, tmp_path: Path):
    codec = of_two[0]
    save_audio_codec(codec, tmp_path / "codec.safetensors", {})
    loaded = load_audio_codec(tmp_path / "codec.safetensors")
    assert loaded.config.voices == ("high", "low") and torch.allclose(loaded.voice_pitch, codec.voice_pitch, atol=1e-2)
    assert "voice_mean" not in AudioCodec(replace(fitted.config, voices=())).state_dict(), "as the files of one voice have it"


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="latent"):
        AudioCodecConfig(latent=2000)


def test_the_tiny_codec_is_voiced():
    made = tiny.audio_codec().synthesise(torch.zeros(2, 3, tiny.CODEC.latent))
    assert made.hidden.shape == (2, 12, tiny.CODEC.width)
    assert torch.allclose(made.f0_hz, torch.full((2, 12), 200.3), atol=1)
