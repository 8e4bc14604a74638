"""Audio codec: voice frames <-> latents [B, T, 192] <-> codes [B, 8, T] at 20 Hz.

The transform is linear (metric, PCA) and the quantizer is residual k-means, so encoding is exact,
stateless and the same for a stream and for a whole file. The waveform side is vocoder.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from a2llm.audio_codec.frames import F0_CENTRE, VOICED_HZ, VoiceFrames, head_metric, stack_frames, unstack_frames
from a2llm.clock import FrameClock
from a2llm.layers.quantize import fit_residual_kmeans, residual_decode, residual_encode


@dataclass(frozen=True)
class AudioCodecConfig:
    """Sizes of the codec, and the voices whose mean it knows (none: of one voice, with nothing taken out).

    Raises ValueError when the sizes do not fit together.
    """

    levels: int = 8
    size: int = 512
    latent: int = 192
    stack: int = 4
    width: int = 256
    bins: int = 601
    sample_rate_hz: int = FrameClock.sample_rate_hz
    voices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.latent <= self.vector:
            raise ValueError("latent must be between 1 and the width of a stacked frame")

    @property
    def vector(self) -> int:
        return self.stack * (self.width + 2)

    @property
    def samples_per_frame(self) -> int:
        """Samples of an audio frame: `stack` hops, of which four are a window of 2 * (bins - 1) samples."""
        return self.stack * (self.bins - 1) // 2


class AudioCodec(nn.Module):
    """Fixed after fitting; every tensor is a buffer."""

    metric: Tensor  # [width, width], and its inverse
    inverse_metric: Tensor
    scale: Tensor
    mean: Tensor  # [vector]
    basis: Tensor  # [vector, latent]
    latent_scale: Tensor
    codebooks: Tensor  # [K, V, latent]
    head_weight: Tensor  # [width, 5 * bins], the vocoder's
    head_bias: Tensor
    voice_mean: Tensor  # [voices, width], in the metric; and the centre of their pitch [voices], ln Hz
    voice_pitch: Tensor

    def __init__(self, config: AudioCodecConfig) -> None:
        super().__init__()
        self.config = c = config
        self._synthesise_one: Callable[[Tensor, Tensor], VoiceFrames] | None = None
        self.register_buffer("metric", torch.eye(c.width))
        self.register_buffer("inverse_metric", torch.eye(c.width))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("mean", torch.zeros(c.vector))
        self.register_buffer("basis", torch.zeros(c.vector, c.latent))
        self.register_buffer("latent_scale", torch.ones(()))
        self.register_buffer("codebooks", torch.zeros(c.levels, c.size, c.latent))
        self.register_buffer("head_weight", torch.zeros(c.width, 5 * c.bins))
        self.register_buffer("head_bias", torch.zeros(5 * c.bins))
        known = max(1, len(c.voices))  # a codec without voices has one of no mean, which no file holds
        self.register_buffer("voice_mean", torch.zeros(known, c.width), persistent=bool(c.voices))
        self.register_buffer("voice_pitch", torch.full((known,), F0_CENTRE), persistent=bool(c.voices))

    def voice_index(self, name: str) -> int:
        """Place of a voice among those that the codec knows; 0 for one that it does not."""
        return self.config.voices.index(name) if name in self.config.voices else 0

    def analyse(self, frames: VoiceFrames, voice: int = 0) -> Tensor:
        """Voice frames of one voice -> latents [B, T, 192], unit variance over all dimensions together."""
        vectors = self.stacked(frames, voice)
        return (vectors - self.mean) @ self.basis / self.latent_scale

    def use_openvino(self, threads: int = 1) -> None:
        """Synthesise single frames with OpenVINO from now on, several times faster on a CPU. The buffers are final."""
        from a2llm.audio_codec.openvino_decoder import VoiceDecoder

        self._synthesise_one = VoiceDecoder(self, threads)

    def synthesise(self, latents: Tensor, voices: Tensor | None = None) -> VoiceFrames:
        """Latents [B, T, 192] -> voice frames, each row in its voice [B] (default: the first)."""
        chosen = torch.zeros(len(latents), dtype=torch.long) if voices is None else voices
        if self._synthesise_one is not None and latents.shape[1] == 1:
            return self._synthesise_one(latents[:, 0], chosen)
        vectors = (latents * self.latent_scale) @ self.basis.t() + self.mean
        mean, centre = self.voice_mean[chosen], self.voice_pitch[chosen]
        return unstack_frames(vectors, self.inverse_metric, float(self.scale), self.config.stack, mean, centre)

    def stacked(self, frames: VoiceFrames, voice: int) -> Tensor:
        """Voice frames [B, N, D] of one voice -> vectors [B, N / stack, stack * (D + 2)], the voice's mean taken out."""
        mean, centre = self.voice_mean[voice], float(self.voice_pitch[voice])
        return stack_frames(frames, self.metric, float(self.scale), self.config.stack, mean, centre)

    def quantize(self, latents: Tensor) -> Tensor:
        """Latents [B, T, 192] -> codes [B, K, T]."""
        return residual_encode(latents, self.codebooks)

    def dequantize(self, codes: Tensor) -> Tensor:
        """Codes [B, k, T], any number of leading levels, -> latents [B, T, 192]."""
        return residual_decode(codes, self.codebooks)


@torch.no_grad()
def fit_audio_codec(
    frames: Mapping[str, VoiceFrames], head_weight: Tensor, head_bias: Tensor, config: AudioCodecConfig, iters: int = 14, seed: int = 0
) -> AudioCodec:
    """Fit metric, PCA and codebooks on voice frames [1, N, D] of each voice, after the mean of each: the codes are then about what is
    said, not who says it. Source of the recipe: docs/talker.md."""
    codec = AudioCodec(replace(config, voices=tuple(frames)))
    root = head_metric(head_weight, config.bins, config.sample_rate_hz)
    codec.metric.copy_(root.float())
    codec.inverse_metric.copy_(torch.linalg.inv(root).float())
    codec.head_weight.copy_(head_weight)
    codec.head_bias.copy_(head_bias)
    codec.scale.copy_(torch.cat([voice.hidden[0].float() @ codec.metric for voice in frames.values()]).std())
    for index, voice in enumerate(frames.values()):
        codec.voice_mean[index] = (voice.hidden[0].float() @ codec.metric / codec.scale).mean(0)
        voiced = voice.f0_hz > VOICED_HZ
        codec.voice_pitch[index] = voice.f0_hz[voiced].log().mean() if voiced.any() else F0_CENTRE
    vectors = torch.cat([codec.stacked(voice, index)[0] for index, voice in enumerate(frames.values())])
    codec.mean.copy_(vectors.mean(0))
    centred = (vectors - codec.mean).double()
    _, basis = torch.linalg.eigh(centred.t() @ centred)
    codec.basis.copy_(basis.flip(-1)[:, : config.latent].float())
    latents = (vectors - codec.mean) @ codec.basis
    codec.latent_scale.copy_(latents.std())
    generator = torch.Generator(latents.device).manual_seed(seed)
    codec.codebooks.copy_(fit_residual_kmeans(latents / codec.latent_scale, config.levels, config.size, iters, generator))
    return codec
