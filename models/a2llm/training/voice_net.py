"""Training of the net that makes voice frames where Kokoro's generator made sound: through the vocoder, against Kokoro's samples.

Starts from hibari's spectral head, which then serves all voices. Half an hour of speech and twenty minutes of one core.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from a2llm import weights
from a2llm.audio_codec.frames import VOICED_HZ
from a2llm.data.speech_teacher import spectral_head
from a2llm.data.voice_clips import VoiceClip, read_clips
from a2llm.data.voice_net import COMPONENT, VoiceNet, VoiceNetConfig, save_voice_net
from a2llm.data.voices import Style, Voice
from a2llm.training.loop import LoopConfig, Progress, TrainingRun
from a2llm.training.vocoder_loss import distance, pulses, synthesise

RATE_HZ = 24_000
EDGE_FRAMES = 3  # at a piece's ends, where half a window is missing


@dataclass(frozen=True)
class VoiceNetTraining:
    """Complete configuration. frames: of a piece, at 80 Hz."""

    model: VoiceNetConfig = field(default_factory=VoiceNetConfig)
    rows: int = 10
    frames: int = 96
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=1700, peak_lr=1.2e-3, warmup_steps=80, betas=(0.8, 0.99), weight_decay=1e-3, clip=5.0, log_every=25
        )
    )


@dataclass(frozen=True)
class Excerpt:
    """Part of a clip, N frames: features [N, 512], pitch [N], pulses and samples [N * hop], style [128]."""

    features: np.ndarray
    f0_hz: np.ndarray
    pulses: np.ndarray
    pcm: np.ndarray
    style: np.ndarray

    def cut(self, first: int, frames: int, hop: int) -> "Excerpt":
        """`frames` from `first` on, filled with silence behind the end."""
        until, short = first + frames, max(0, first + frames - len(self.f0_hz))
        pulse, pcm = (np.pad(x[first * hop : until * hop], (0, short * hop)) for x in (self.pulses, self.pcm))
        return Excerpt(
            np.pad(self.features[first:until], ((0, short), (0, 0))), np.pad(self.f0_hz[first:until], (0, short)), pulse, pcm, self.style
        )


def pieces(clips: Sequence[VoiceClip], bins: int) -> list[Excerpt]:
    """Each clip whole, with the pulses of its pitch."""
    hop, out = (bins - 1) // 2, list[Excerpt]()
    for number, clip in enumerate(clips):
        frames = min(len(clip.pcm) // hop, len(clip.f0_hz))
        f0 = np.where(clip.f0_hz > VOICED_HZ, clip.f0_hz, 0.0)[:frames].astype(np.float32)
        out.append(Excerpt(clip.features[:frames], f0, pulses(f0, bins, number), clip.pcm[: frames * hop], clip.style))
    return out


def train_voice_net(
    folder: Path, out: Path, styles: Sequence[tuple[Voice, Style]], config: VoiceNetTraining, on_progress: Progress | None = None
) -> dict[str, float]:
    """Train on the clips of `folder` (data/voice_clips.py); returns the distance of held-out clips, before and after."""
    clips = read_clips(folder)
    learned = pieces([clip for clip in clips if not clip.held_out], config.model.bins)
    unseen = pieces([clip for clip in clips if clip.held_out], config.model.bins)
    torch.manual_seed(config.loop.seed)
    net = VoiceNet(config.model)
    _take_head(net)
    before = held_out_distance(net, unseen)
    run = TrainingRun(COMPONENT, net, config.loop, out, on_progress)

    def step(index: int) -> tuple[Tensor, dict[str, Tensor]]:
        rng = np.random.default_rng([config.loop.seed, index])
        batch = [_draw(learned, rng, config) for _ in range(config.rows)]
        loss = _distance(net, batch, torch.Generator().manual_seed(index), EDGE_FRAMES)
        return loss, {}

    run.run(step)
    net.eval()
    after = held_out_distance(net, unseen)
    figures = {
        "distance_untrained": round(before, 4),
        "distance_held_out": round(after, 4),
        "minutes": round(sum(len(p.pcm) for p in learned) / RATE_HZ / 60, 1),
    }
    save_voice_net(
        net, {voice.name: style for voice, style in styles}, out / "voice_net.safetensors", {"training": asdict(config.loop), **figures}
    )
    return figures


def _take_head(net: VoiceNet) -> None:
    """hibari's spectral head, where the sizes fit."""
    weight, bias = spectral_head(weights.resolve("voice"))
    if weight.shape == tuple(net.head_weight.shape):
        net.head_weight.data.copy_(torch.tensor(weight))
        net.head_bias.data.copy_(torch.tensor(bias))


def _draw(learned: Sequence[Excerpt], rng: np.random.Generator, config: VoiceNetTraining) -> Excerpt:
    piece = learned[int(rng.integers(len(learned)))]
    first = int(rng.integers(max(1, len(piece.f0_hz) - config.frames)))
    return piece.cut(first, config.frames, (config.model.bins - 1) // 2)


def _distance(net: VoiceNet, batch: Sequence[Excerpt], generator: torch.Generator, edge: int) -> Tensor:
    features, f0, pulse, pcm, style = (torch.from_numpy(np.stack([getattr(p, name) for p in batch])) for name in vars(batch[0]))
    made = synthesise(net(features, f0, style), pulse, net.head_weight, net.head_bias, RATE_HZ, generator)
    cut = edge * (net.config.bins - 1) // 2
    return distance(made[:, cut : made.shape[1] - cut], pcm[:, cut : made.shape[1] - cut], RATE_HZ)


@torch.no_grad()
def held_out_distance(net: VoiceNet, unseen: Sequence[Excerpt]) -> float:
    """Mean distance of whole clips."""
    return float(np.mean([float(_distance(net, [piece], torch.Generator().manual_seed(0), 0)) for piece in unseen]))
