"""Stateless by design: frame by frame equals the whole, and a batch equals its rows, both ways."""

import torch
from support.models import tiny

from a2llm.audio_codec.frames import VoiceFrames

CODEC = tiny.audio_codec()
FRAMES = 24


def voice() -> VoiceFrames:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(3, 4 * FRAMES, tiny.CODEC.width, generator=generator)
    return VoiceFrames(hidden, 300 * torch.rand(3, 4 * FRAMES, generator=generator))


def test_encoding_frame_by_frame():
    frames = voice()
    whole = CODEC.analyse(frames)
    pieces = [CODEC.analyse(VoiceFrames(frames.hidden[:, t : t + 4], frames.f0_hz[:, t : t + 4])) for t in range(0, 4 * FRAMES, 4)]
    assert torch.allclose(torch.cat(pieces, 1), whole, atol=1e-5)
    assert torch.equal(torch.cat([CODEC.quantize(whole[:, t : t + 1]) for t in range(FRAMES)], 2), CODEC.quantize(whole))


def test_decoding_frame_by_frame():
    codes = CODEC.quantize(CODEC.analyse(voice()))
    whole = CODEC.synthesise(CODEC.dequantize(codes))
    pieces = [CODEC.synthesise(CODEC.dequantize(codes[:, :, t : t + 1])) for t in range(FRAMES)]
    assert torch.allclose(torch.cat([p.hidden for p in pieces], 1), whole.hidden, atol=1e-5)
    assert torch.allclose(torch.cat([p.f0_hz for p in pieces], 1), whole.f0_hz, rtol=1e-5)


def test_openvino_makes_the_same_frames():
    fast = tiny.parts("openvino").audio_codec
    latents = torch.randn(5, 1, tiny.CODEC.latent, generator=torch.Generator().manual_seed(0))
    want, made = CODEC.synthesise(latents), fast.synthesise(latents)
    assert torch.allclose(made.hidden, want.hidden, atol=1e-5)
    assert torch.allclose(made.f0_hz, want.f0_hz, rtol=1e-5)
    assert (want.f0_hz == 0).any()
    alone = [fast.synthesise(row[None]) for row in latents]
    assert torch.equal(torch.cat([a.hidden for a in alone]), made.hidden)


def test_a_batch_is_its_rows():
    codes = CODEC.quantize(CODEC.analyse(voice()))
    whole = CODEC.synthesise(CODEC.dequantize(codes))
    rows = [CODEC.synthesise(CODEC.dequantize(row[None])) for row in codes]
    assert torch.allclose(torch.cat([r.hidden for r in rows]), whole.hidden, atol=1e-5)
    assert torch.allclose(torch.cat([r.f0_hz for r in rows]), whole.f0_hz, rtol=1e-5)
