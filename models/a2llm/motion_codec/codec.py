"""The motion codec: face coefficients [B, F, 61] <-> motion codes [B, K, T], a causal RVQ-VAE.

Two motion frames make one code frame, so its codes run at the rate of the audio frames. Encoder and decoder see the
past only: the decoder streams with no look-ahead, one code frame in, two motion frames out. Training lives elsewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from a2llm.clock import FrameClock
from a2llm.layers.causal_conv import CausalConv1d, CausalResidual
from a2llm.layers.quantize import Quantized, QuantizerConfig, ResidualQuantizer
from a2llm.layers.state import StreamState
from a2llm.rig import ARKIT61


@dataclass(frozen=True)
class MotionCodecConfig:
    """Sizes of the codec. Raises ValueError for sizes below one."""

    coefficients: int = ARKIT61.size
    motion_hz: int = FrameClock.motion_hz
    frames_per_code: int = FrameClock.motion_per_audio
    width: int = 192
    latent: int = 64
    encoder_dilations: tuple[int, ...] = (1, 2, 4)
    decoder_dilations: tuple[int, ...] = (1, 2)
    kernel: int = 3
    levels: int = 6
    size: int = 256
    dropout: float = 0.3

    def __post_init__(self) -> None:
        if min(self.coefficients, self.frames_per_code, self.width, self.latent, self.kernel, self.motion_hz) < 1:
            raise ValueError("every size of a motion codec must be at least 1")

    @property
    def patch(self) -> int:
        """Values in one code frame's motion."""
        return self.coefficients * self.frames_per_code

    @property
    def quantizer(self) -> QuantizerConfig:
        return QuantizerConfig(self.latent, self.levels, self.size, dropout=self.dropout)


class CausalStack(nn.Module):
    """Convolution, residual blocks, projection: [B, C_in, T] -> [B, C_out, T], causal."""

    def __init__(self, c_in: int, c_out: int, width: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.inlet = CausalConv1d(c_in, width, kernel)
        self.blocks = nn.ModuleList(CausalResidual(width, kernel, dilation) for dilation in dilations)
        self.outlet = nn.Linear(width, c_out)

    def forward(self, x: Tensor, state: StreamState | None = None) -> Tensor:
        """x [B, c_in, T] -> [B, c_out, T], the same in pieces with a state as at once."""
        x = self.inlet(x, state, "inlet")
        for place, block in enumerate(self.blocks):
            x = block(x, state, f"block{place}")
        return self.outlet(x.transpose(1, 2)).transpose(1, 2)


class MotionCodec(nn.Module):
    """Causal RVQ-VAE over one rig. `mean` and `scale` [61] standardise the coefficients; training sets them."""

    mean: Tensor
    scale: Tensor

    def __init__(self, config: MotionCodecConfig) -> None:
        super().__init__()
        self.config = config
        self._decode_one: Callable[[Tensor, StreamState], Tensor] | None = None
        c = config
        self.encoder = CausalStack(c.patch, c.latent, c.width, c.kernel, c.encoder_dilations)
        self.decoder = CausalStack(c.latent, c.patch, c.width, c.kernel, c.decoder_dilations)
        self.quantizer = ResidualQuantizer(c.quantizer)
        self.register_buffer("mean", torch.zeros(c.coefficients))
        self.register_buffer("scale", torch.ones(c.coefficients))

    def latents(self, motion: Tensor) -> Tensor:
        """motion [B, F, 61] -> [B, T, D] before quantization, T = F / 2 rounded up (the last frame is repeated)."""
        per = self.config.frames_per_code
        if motion.shape[1] % per:
            motion = torch.cat([motion, motion[:, -1:].expand(-1, per - motion.shape[1] % per, -1)], dim=1)
        x = (motion - self.mean) / self.scale
        x = x.reshape(x.shape[0], -1, self.config.patch)  # [B, T, patch]
        return self.encoder(x.transpose(1, 2)).transpose(1, 2)

    def frames(self, latents: Tensor, state: StreamState | None = None) -> Tensor:
        """latents [B, T, D] -> motion [B, 2T, 61], not yet limited to the rig's range."""
        x = self.decoder(latents.transpose(1, 2), state).transpose(1, 2)  # [B, T, patch]
        x = x.reshape(x.shape[0], -1, self.config.coefficients)
        return x * self.scale + self.mean

    def forward(self, motion: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Quantized]:
        """Training pass: motion [B, F, 61], F even -> (reconstruction [B, F, 61] without limits, Quantized)."""
        quantized = self.quantizer(self.latents(motion), generator)
        return self.frames(quantized.vectors), quantized

    @torch.no_grad()
    def encode(self, motion: Tensor) -> Tensor:
        """motion [B, F, 61] -> codes [B, K, T] int64."""
        return self.quantizer.encode(self.latents(motion))

    def embed(self, codes: Tensor) -> Tensor:
        """codes [B, k, T], k <= K -> quantized latents [B, T, D]. Raises ValueError for too many levels."""
        return self.quantizer.decode(codes)

    @torch.no_grad()
    def decode(self, codes: Tensor) -> Tensor:
        """codes [B, k, T], k <= K -> motion [B, 2T, 61], blendshapes in 0..1."""
        return self.decode_step(codes, StreamState())

    def use_openvino(self, threads: int = 1) -> None:
        """Decode single code frames with OpenVINO from now on, several times faster on a CPU. The weights are final."""
        from a2llm.motion_codec.openvino_decoder import MotionDecoder

        self._decode_one = MotionDecoder(self, threads)

    @torch.no_grad()
    def decode_step(self, codes: Tensor, state: StreamState) -> Tensor:
        """Next code frames of a stream: codes [B, k, T] (T usually 1) -> motion [B, 2T, 61]; `state` moves on."""
        if self._decode_one is not None and codes.shape[1:] == (self.config.levels, 1):
            motion = self._decode_one(codes[..., 0], state)
        else:
            motion = self.frames(self.embed(codes), state)
        shapes = len(ARKIT61.group("blendshapes"))  # they lead the layout, the rotations follow
        motion[..., :shapes] = motion[..., :shapes].clamp(0, 1)
        return motion
