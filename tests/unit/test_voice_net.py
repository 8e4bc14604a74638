"""The net in the generator's place learns from clips, comes back from its file, and is judged on clips it has not seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from a2llm.checkpoint import CheckpointError
from a2llm.data.shards import save_arrays
from a2llm.data.voice_clips import ClipPlan, make_clips, read_clips
from a2llm.data.voice_net import VoiceNet, VoiceNetConfig, load_voice_net
from a2llm.data.voices import STYLE_LENGTHS, VOICES, Style
from a2llm.training.loop import LoopConfig
from a2llm.training.voice_net import VoiceNetTraining, pieces, train_voice_net

CONFIG = VoiceNetConfig(features=8, style=4, width=16, blocks=1, bins=33)
HOP = (CONFIG.bins - 1) // 2
STYLES = [(VOICES[0], Style(np.zeros((len(STYLE_LENGTHS), 8), np.float32)))]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for index in range(12):
        frames = 280 + 2 * index
        f0 = np.full(frames, 150.0 + 10 * index, np.float32)
        pcm = np.sin(2 * np.pi * np.cumsum(np.repeat(f0, HOP)) / 24_000).astype(np.float16)
        arrays = {"pcm": pcm, "features": rng.normal(size=(frames, 8)).astype(np.float16), "f0_hz": f0, "style": np.zeros(4, np.float32)}
        save_arrays(tmp_path / f"heart-{index:04d}.npz", arrays | {"text": np.array("Hello."), "voice": np.array("heart")})
    return tmp_path


def test_it_learns_and_comes_back(clips: Path, tmp_path: Path) -> None:
    assert [clip.held_out for clip in read_clips(clips)].count(True) == 1
    loop = LoopConfig(steps=30, peak_lr=3e-3, warmup_steps=2, log_every=10)
    figures = train_voice_net(clips, tmp_path / "out", STYLES, VoiceNetTraining(CONFIG, rows=2, frames=240, loop=loop))
    assert figures["distance_held_out"] < 0.9 * figures["distance_untrained"]
    net, styles = load_voice_net(tmp_path / "out" / "voice_net.safetensors")
    assert list(styles) == ["heart"] and styles["heart"].rows.shape == STYLES[0][1].rows.shape
    frames = net(torch.zeros(2, 10, 8), torch.full((2, 10), 120.0), torch.zeros(2, 4))
    assert frames.shape == (2, 10, 16) and torch.equal(frames[0], frames[1])
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_voice_net(tmp_path / "nothing.safetensors")


def test_the_net_hears_pitch_and_style() -> None:
    net = VoiceNet(CONFIG).eval()
    inputs = [torch.zeros(1, 10, 8), torch.full((1, 10), 120.0), torch.zeros(1, 4)]
    plain = net(*inputs)
    for at, other in ((1, torch.zeros(1, 10)), (2, torch.ones(1, 4))):
        changed = list(inputs)
        changed[at] = other
        assert not torch.allclose(plain, net(*changed))


def test_a_piece_is_filled_with_silence_behind_its_clip(clips: Path) -> None:
    piece = pieces(read_clips(clips)[:1], CONFIG.bins)[0]
    cut = piece.cut(260, 40, HOP)
    assert cut.features.shape == (40, 8) and cut.pcm.shape == cut.pulses.shape == (40 * HOP,)
    assert not cut.f0_hz[20:].any() and not cut.pcm[20 * HOP :].any()


def test_clips_need_as_many_scores(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="as many scores"):
        make_clips(ClipPlan(Path("kokoro.onnx"), STYLES, [], 1), tmp_path, 1)
