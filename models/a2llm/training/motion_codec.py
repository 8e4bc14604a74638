"""Training of the motion codec: its loss and one function that runs it on a CPU or a GPU.

Everything stays on the device; a step has no per-sample work in Python. Saving the codec is the caller's business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.head.geometry import HeadGeometry
from a2llm.motion_codec.codec import MotionCodec, MotionCodecConfig
from a2llm.rig import ARKIT61
from a2llm.training.loop import LoopConfig, Progress, TrainingRun

SCALE_FLOOR = 0.02  # a coefficient that hardly moves must not be blown up to unit variance
PACE_FLOOR = 0.001


@dataclass(frozen=True)
class MotionCodecTraining:
    """Shape, batches, loss weights. Vertex terms are in mm^2, parameter terms in standard deviations."""

    model: MotionCodecConfig = field(default_factory=MotionCodecConfig)
    batch: int = 32
    window_frames: int = 64
    free_share: float = 0.08  # of the steps pass latents through, so that k-means starts on a trained encoder
    parameter: float = 1.0
    lips: float = 2.0
    face: float = 0.5
    velocity: float = 0.5
    acceleration: float = 0.25
    gap: float = 1.0
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=1600, peak_lr=2e-3, warmup_steps=50, weight_decay=0.01))


@dataclass(frozen=True)
class FaceSurface:
    """Parts of a head that the loss uses: mean squared vertex displacement as quadratic forms, and the lip gaps.

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
        """Measures the scale of motion [N, 61]."""
        return cls(packed.std(0).clamp(min=SCALE_FLOOR), packed.diff(dim=0).std(0).clamp(min=PACE_FLOOR))


def motion_loss(
    truth: Tensor, made: Tensor, scale: MotionScale, surface: FaceSurface, weights: MotionCodecTraining
) -> tuple[Tensor, dict[str, Tensor]]:
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


def pack(motions: Sequence[np.ndarray], device: torch.device) -> Tensor:
    """Utterances [F, 61] one after the other (each starts and ends near rest) -> [N, 61] on the device."""
    return torch.from_numpy(np.concatenate(motions).astype(np.float32)).to(device)


def windows(packed: Tensor, batch: int, frames: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless random windows [B, frames, 61]."""
    reach = torch.arange(frames, device=packed.device)
    while True:
        start = torch.randint(len(packed) - frames + 1, (batch,), generator=generator, device=generator.device)
        yield packed[start.to(packed.device)[:, None] + reach]


def train_motion_codec(
    motions: Sequence[np.ndarray], out: Path, config: MotionCodecTraining, device: str = "cpu", on_progress: Progress | None = None
) -> tuple[MotionCodec, dict[str, object]]:
    """Train a codec on utterances of arkit61 motion; returns it, on the CPU, and the facts of its run, which lives in `out`.

    motions: [F, 61] each. The same seed and device give the same weights up to the device's own determinism. Raises ValueError
    when the data are shorter than one window.
    """
    place = torch.device(device)
    packed, generator = pack(motions, place), torch.Generator(place).manual_seed(config.loop.seed)
    if len(packed) < config.window_frames:
        raise ValueError(f"{len(packed)} frames of motion are fewer than one window of {config.window_frames}")
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator, device=place)))
    codec, scale = MotionCodec(config.model).to(place).train(), MotionScale.of(packed)
    codec.mean.copy_(packed.mean(0))
    codec.scale.copy_(scale.level)
    surface = FaceSurface.of(HeadGeometry.load(), place)
    run = TrainingRun("motion_codec", codec, config.loop, out, on_progress, generator)
    batches = windows(packed, config.batch, config.window_frames, generator)

    def step(index: int) -> tuple[Tensor, dict[str, Tensor]]:
        motion = next(batches)
        made, commitment = _rebuild(codec, motion, run.progress < config.free_share, generator)
        loss, parts = motion_loss(motion, made, scale, surface, config)
        return loss + commitment, {"commitment": commitment, **parts}

    run.run(step)
    return codec.cpu().eval(), run.describe()


def _rebuild(codec: MotionCodec, motion: Tensor, free: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Motion [B, F, 61] through the codec, and the commitment loss; `free` leaves the quantizer out."""
    if free:
        return codec.frames(codec.latents(motion)), motion.new_zeros(())
    made, quantized = codec(motion, generator)
    return made, quantized.loss
