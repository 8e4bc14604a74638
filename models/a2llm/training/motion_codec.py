"""Training of the motion codec: its loss and one function that runs it on a CPU or a GPU.

Everything stays on the device; a step has no per-sample work in Python. Saving is the caller's business.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.avatar.geometry import HeadGeometry
from a2llm.motion_codec.codec import MotionCodec, MotionCodecConfig
from a2llm.rig import ARKIT61
from a2llm.training.loop import LoopConfig

OnProgress = Callable[[int, int, dict[str, float]], None]
SCALE_FLOOR = 0.02  # a coefficient that hardly moves must not be blown up to unit variance
PACE_FLOOR = 0.001


@dataclass(frozen=True)
class MotionTrainingConfig:
    """Optimiser and loss weights. Vertex terms are in mm^2, parameter terms in standard deviations."""

    batch: int = 256
    window_frames: int = 128
    peak_lr: float = 2e-3
    warmup_steps: int = 50
    free_share: float = 0.08  # of the steps pass latents through, so that k-means starts on a trained encoder
    parameter: float = 1.0
    lips: float = 2.0
    face: float = 0.5
    velocity: float = 0.5
    acceleration: float = 0.25
    gap: float = 1.0
    log_every: int = 20


@dataclass(frozen=True)
class FaceSurface:
    """What the loss needs of a head: mean squared vertex displacement as quadratic forms, and the lip gaps.

    |vertices(x) - vertices(y)|^2, averaged over a region, is e G e' with e = x - y; so no vertex is ever built.
    """

    lips: Tensor  # [61, 61] mm^2
    face: Tensor  # [61, 61] mm^2
    gap_bias: Tensor  # [n] mm
    gap_slope: Tensor  # [61, n] mm

    @classmethod
    def of(cls, head: HeadGeometry, device: torch.device) -> "FaceSurface":
        def gram(region: str) -> Tensor:
            deltas = torch.from_numpy(head.basis(region)[1]).flatten(1).double()  # [61, 3v]
            return ((deltas @ deltas.T) / (deltas.shape[1] / 3)).float().to(device)

        zero = np.zeros((1, ARKIT61.size), np.float32)
        bias = head.lip_gaps(zero)
        slope = head.lip_gaps(np.eye(ARKIT61.size, dtype=np.float32)) - bias
        as_tensor = [torch.from_numpy(np.asarray(x, np.float32)).to(device) for x in (bias[0], slope)]
        return cls(gram("lips"), gram("face"), *as_tensor)

    def gaps(self, motion: Tensor) -> Tensor:
        """Signed inner-lip gaps [..., n] in mm of motion [..., 61]."""
        return self.gap_bias + motion @ self.gap_slope


def _quadratic(error: Tensor, gram: Tensor) -> Tensor:
    return ((error @ gram) * error).sum(-1).mean()


@dataclass(frozen=True)
class MotionScale:
    """Usual size [61] and usual change per frame [61] of the coefficients: what an error is measured against.

    Changes need their own scale: a brow that affect holds high for seconds has a large spread and must not tremble.
    """

    level: Tensor
    pace: Tensor

    @classmethod
    def of(cls, packed: Tensor) -> "MotionScale":
        return cls(packed.std(0).clamp(min=SCALE_FLOOR), packed.diff(dim=0).std(0).clamp(min=PACE_FLOOR))


def motion_loss(truth: Tensor, made: Tensor, scale: MotionScale, surface: FaceSurface,
                weights: MotionTrainingConfig) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """Reconstruction loss of motion [B, F, 61] and its parts. Near a closure the lip gap counts five times."""
    error = made - truth
    speed = error.diff(dim=1)
    jerk = speed.diff(dim=1)
    gap = surface.gaps(truth)
    near = 1 + 4 * (gap.amax(-1, keepdim=True) < 1).float()
    parts = {
        "parameter": nn.functional.smooth_l1_loss(made / scale.level, truth / scale.level, beta=0.5),
        "lips": _quadratic(error, surface.lips),
        "face": _quadratic(error, surface.face),
        "velocity": (speed / scale.pace).abs().mean() + _quadratic(speed, surface.lips),
        "acceleration": (jerk / scale.pace).abs().mean(),
        "gap": (near * (surface.gaps(made) - gap).abs()).mean(),
    }
    total = sum((getattr(weights, name) * value for name, value in parts.items()), start=error.new_zeros(()))
    return total, parts


def pack(motions: Sequence[np.ndarray] | np.ndarray, device: torch.device) -> Tensor:
    """Utterances [F, 61] one after the other (each starts and ends near rest) -> [N, 61] on the device."""
    joined = motions if isinstance(motions, np.ndarray) else np.concatenate(list(motions))
    return torch.from_numpy(np.ascontiguousarray(joined, np.float32)).to(device)


def windows(packed: Tensor, batch: int, frames: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless random windows [B, frames, 61]. Raises ValueError when the data are shorter than one window."""
    if len(packed) < frames:
        raise ValueError(f"{len(packed)} frames of motion are fewer than one window of {frames}")
    reach = torch.arange(frames, device=packed.device)
    while True:
        start = torch.randint(len(packed) - frames + 1, (batch,), generator=generator, device=generator.device)
        yield packed[start.to(packed.device)[:, None] + reach]


def train_motion_codec(motions: Sequence[np.ndarray] | np.ndarray, config: MotionCodecConfig, steps: int,
                       device: torch.device | str, generator: torch.Generator, on_progress: OnProgress | None = None,
                       training: MotionTrainingConfig | None = None) -> dict[str, Tensor]:  # fmt: skip
    """Train a codec on utterances of arkit61 motion and return its state dict, on the CPU.

    motions: a list of [F, 61] arrays or one packed [N, 61]; generator: best on `device`, where it draws windows without
    a copy; the same seed and device give the same weights up to the device's own determinism. on_progress gets
    (step, steps, figures) every `log_every` steps. Raises ValueError when the data are shorter than one window.
    """
    setup, place = training or MotionTrainingConfig(), torch.device(device)
    packed = pack(motions, place)
    setup = replace(setup, window_frames=min(setup.window_frames, len(packed) // 2 * 2))
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator, device=generator.device)))
    codec = MotionCodec(config).to(place).train()
    codec.mean.copy_(packed.mean(0))
    scale = MotionScale.of(packed)
    codec.scale.copy_(scale.level)
    surface = FaceSurface.of(HeadGeometry.load(), place)
    rate = LoopConfig(steps=steps, peak_lr=setup.peak_lr, warmup_steps=setup.warmup_steps).rate
    optimizer = torch.optim.AdamW(codec.parameters(), lr=setup.peak_lr, betas=(0.9, 0.98), weight_decay=0.01)
    free_steps = int(setup.free_share * steps)
    batches = windows(packed, setup.batch, setup.window_frames, generator)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate(step, step / steps)
        loss, figures = _step(codec, next(batches), step < free_steps, scale, surface, setup, generator)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        if on_progress is not None and (step % setup.log_every == 0 or step == steps - 1):
            on_progress(step + 1, steps, {name: float(value.detach()) for name, value in figures.items()})
    return {name: value.detach().cpu().clone() for name, value in codec.state_dict().items()}


def _step(codec: MotionCodec, motion: Tensor, free: bool, scale: MotionScale, surface: FaceSurface,
          setup: MotionTrainingConfig, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:  # fmt: skip
    """Loss and its parts for motion [B, F, 61]; `free` leaves the quantizer out."""
    if free:
        made, commitment = codec.frames(codec.latents(motion)), motion.new_zeros(())
    else:
        made, quantized = codec(motion, generator)
        commitment = quantized.loss
    loss, parts = motion_loss(motion, made, scale, surface, setup)
    return loss + commitment, {"loss": loss, "commitment": commitment, **parts}
