"""The vector that one audio frame is: stacked voice frames, pitch and voicing, in a perceptual metric.

A voice frame (80 Hz) is the 256-d hidden state before the voice's spectral head. Four of them, with
ln f0 and voicing, make one 20 Hz audio frame; whitening by the head's own sensitivity makes distances
mean loudness and phase errors, weighted towards low frequencies.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

F0_CENTRE, F0_SCALE, VOICING_SCALE = 5.3, 12.0, 2.0
VOICED_HZ = 40.0


@dataclass(frozen=True)
class VoiceFrames:
    """Voice frames [B, N, D] and pitch [B, N] in Hz (below VOICED_HZ where unvoiced)."""

    hidden: Tensor
    f0_hz: Tensor


def head_metric(weight: Tensor, bins: int, sample_rate_hz: int) -> Tensor:
    """Square root [D, D] of the metric that the spectral head [D, 5 * bins] induces on hidden states:
    sum over its parts of W diag(1 / (700 + f)) W^T, scaled to trace D and regularised."""
    width = weight.shape[0]
    hertz = torch.linspace(0, sample_rate_hz / 2, bins, dtype=torch.float64)
    parts = weight.double().view(width, -1, bins)
    metric = torch.einsum("dpf,f,epf->de", parts, 1.0 / (700.0 + hertz), parts)
    metric = metric * (width / metric.trace()) + 0.15 * torch.eye(width, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(metric)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.t()


def stack_frames(
    frames: VoiceFrames, metric: Tensor, scale: float, stack: int, mean: Tensor | None = None, centre: float = F0_CENTRE
) -> Tensor:
    """Stacks frames in time: [B, N, D] -> [B, N / stack, stack * (D + 2)]; of a voice its mean frame [D], in the metric, and the centre
    of its pitch (ln Hz) are taken out. Raises ValueError if N is no multiple of `stack`."""
    batch, count, _ = frames.hidden.shape
    if count % stack:
        raise ValueError(f"{count} voice frames are not a whole number of audio frames")
    hidden = frames.hidden.float() @ metric / scale
    hidden = (hidden if mean is None else hidden - mean).reshape(batch, count // stack, -1)
    voiced = frames.f0_hz > VOICED_HZ
    pitch = torch.where(voiced, F0_SCALE * (frames.f0_hz.clamp(min=VOICED_HZ).log() - centre), 0.0)
    extra = torch.stack((pitch, VOICING_SCALE * voiced.float()), dim=-1)
    return torch.cat((hidden, extra.reshape(batch, count // stack, -1)), dim=-1)


def unstack_frames(
    vectors: Tensor, inverse_metric: Tensor, scale: float, stack: int, mean: Tensor | None = None, centre: Tensor | float = F0_CENTRE
) -> VoiceFrames:
    """Inverse of stack_frames: [B, T, stack * (D + 2)] -> voice frames [B, T * stack, D]; each row's voice gives its mean frame [B, D] and
    its pitch's centre [B]."""
    batch, count, _ = vectors.shape
    width = inverse_metric.shape[0]
    hidden, extra = vectors.split((stack * width, stack * 2), dim=-1)
    hidden = hidden.reshape(batch, count * stack, width)
    hidden = (hidden if mean is None else hidden + mean[:, None]) @ inverse_metric * scale
    pitch, voicing = extra.reshape(batch, count * stack, 2).unbind(-1)
    f0 = torch.exp(pitch / F0_SCALE + (centre[:, None] if isinstance(centre, Tensor) else centre))
    return VoiceFrames(hidden, torch.where(voicing > VOICING_SCALE / 2, f0, torch.zeros_like(f0)))
