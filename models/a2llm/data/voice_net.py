"""Turns what Kokoro's generator would read into voice frames of our own vocoder: the fast end of the teacher of several voices.

It is trained through the vocoder's synthesis against Kokoro's sound (training/voice_net.py) and used when data are built. N frames
at 80 Hz.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from a2llm.audio_codec.frames import VOICED_HZ
from a2llm.checkpoint import load_component, save_component
from a2llm.data.voices import Style

COMPONENT = "voice_net"
PITCH_CENTRE = 5.1  # ln Hz, between the voices


@dataclass(frozen=True)
class VoiceNetConfig:
    """features: width of what it reads beside pitch. bins: of the vocoder's spectra, which its head serves."""

    features: int = 512
    style: int = 128
    width: int = 256
    blocks: int = 4
    kernel: int = 7
    bins: int = 601


class Block(nn.Module):
    """ConvNeXt (Liu et al. 2022) in time."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width)
        self.norm = nn.LayerNorm(width)
        self.wide, self.narrow = nn.Linear(width, 3 * width), nn.Linear(3 * width, width)
        self.scale = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, N, width] -> the same."""
        mixed = self.mix(x.transpose(1, 2)).transpose(1, 2)
        return x + self.scale * self.narrow(F.gelu(self.wide(self.norm(mixed))))


class VoiceNet(nn.Module):
    """Features, pitch and style -> voice frames, and the spectral head that makes them heard."""

    def __init__(self, config: VoiceNetConfig) -> None:
        super().__init__()
        self.config = c = config
        self.norm = nn.LayerNorm(c.features)
        self.first = nn.Conv1d(c.features + 2, c.width, 5, padding=2)
        self.style = nn.Linear(c.style, c.width)
        self.blocks = nn.ModuleList(Block(c.width, c.kernel) for _ in range(c.blocks))
        self.last_norm, self.last = nn.LayerNorm(c.width), nn.Linear(c.width, c.width)
        self.head_weight = nn.Parameter(torch.zeros(c.width, 5 * c.bins))
        self.head_bias = nn.Parameter(torch.zeros(5 * c.bins))

    def forward(self, features: Tensor, f0_hz: Tensor, style: Tensor) -> Tensor:
        """features [B, N, 512], pitch [B, N] (below 40 Hz where unvoiced), style [B, 128] -> voice frames [B, N, 256]."""
        voiced = (f0_hz > VOICED_HZ).float()
        pitch = 2 * voiced * (f0_hz.clamp(min=VOICED_HZ).log() - PITCH_CENTRE)
        x = torch.cat((self.norm(features), pitch[..., None], voiced[..., None]), -1)
        x = self.first(x.transpose(1, 2)).transpose(1, 2) + self.style(style)[:, None]
        for block in self.blocks:
            x = block(x)
        return self.last(self.last_norm(x))


def save_voice_net(net: VoiceNet, styles: Mapping[str, Style], file: Path, facts: Mapping[str, Any]) -> str:
    """The net and the styles of the voices that it knows, by name."""
    half = {f"net.{name}": tensor.half() for name, tensor in net.state_dict().items()}
    rows = {f"style.{name}": torch.from_numpy(style.rows).half() for name, style in styles.items()}
    return save_component(file, COMPONENT, asdict(net.config), half | rows, facts)


def load_voice_net(file: Path) -> tuple[VoiceNet, dict[str, Style]]:
    """Raises CheckpointError for a file that is missing, damaged, or something else."""
    part = load_component(file, COMPONENT)
    net = VoiceNet(VoiceNetConfig(**part.config))
    net.load_state_dict({name.removeprefix("net."): tensor.float() for name, tensor in part.tensors.items() if name.startswith("net.")})
    rows = {name.removeprefix("style."): tensor for name, tensor in part.tensors.items() if name.startswith("style.")}
    return net.eval().requires_grad_(False), {name: Style(tensor.float().numpy()) for name, tensor in rows.items()}
