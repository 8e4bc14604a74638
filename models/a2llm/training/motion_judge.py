"""Training of the judge of meaning (`evaluation.motion_judge`) on the motion teacher's motion of a data set. On the CPU.

A tenth of the train split teaches nothing: it sets the threshold of every function, and says which functions can be read at all.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from a2llm.checkpoint import save_component
from a2llm.data.annotation import FUNCTIONS
from a2llm.data.shards import read_shards
from a2llm.evaluation.motion_judge import FILE, JudgeConfig, MotionJudge, features, frames_inside
from a2llm.evaluation.proof_cases import Example, example_of
from a2llm.evaluation.proof_scores import f1
from a2llm.training.loop import LoopConfig, Progress, TrainingRun

THRESHOLDS = np.arange(0.1, 0.91, 0.05)


@dataclass(frozen=True)
class JudgeTraining:
    """readable: least F1 on the teacher from which a function counts; fewest: phrases of it that this rests on. noise: in standard
    deviations of the features."""

    model: JudgeConfig = field(default_factory=lambda: JudgeConfig(tuple(FUNCTIONS)))
    batch: int = 32
    noise: float = 0.05
    affect_weight: float = 2.0
    readable: float = 0.3
    fewest: int = 10
    loop: LoopConfig = field(default_factory=lambda: LoopConfig(steps=2500, peak_lr=1.5e-3, warmup_steps=100, weight_decay=0.05))


def train_motion_judge(data: Path, out: Path, config: JudgeTraining, on_progress: Progress | None = None) -> dict[str, float]:
    """Train on the annotated utterances of the train split in `data` and write `out`/motion_judge.safetensors.

    Returns how well it reads held-out motion of the teacher. Raises ValueError when nothing is annotated.
    """
    parts: dict[str, list[Example]] = {"train": [], "tuning": [], "held_out": []}
    for utterance in read_shards(data):
        if utterance.annotated:
            aside = utterance.split == "train" and utterance.sample % 10 == 0
            parts["tuning" if aside else utterance.split].append(example_of(utterance))
    if not parts["train"] or not parts["tuning"]:
        raise ValueError(f"{data} holds no annotated utterances to train on")
    judge, facts = fit_motion_judge(parts["train"], out, config, on_progress)
    tune(judge, parts["tuning"], config)
    figures = {"functions_readable": float(judge.readable.sum()), "train_clips": float(len(parts["train"]))}
    if parts["held_out"]:
        figures |= {"held_out_function_f1": function_f1(judge, parts["held_out"]), "held_out_clips": float(len(parts["held_out"]))}
    described = {"data": "teacher motion, train split", "recipe": asdict(config), "training": facts, "figures": figures}
    save_component(out / FILE, "motion_judge", asdict(config.model), judge.state_dict(), described)
    return figures


def fit_motion_judge(
    examples: Sequence[Example], out: Path, config: JudgeTraining, on_progress: Progress | None = None
) -> tuple[MotionJudge, dict[str, object]]:
    """Train a judge on examples; returns it, and the facts of its run, which lives in `out`."""
    torch.manual_seed(config.loop.seed)
    judge, generator = MotionJudge(config.model).train(), torch.Generator().manual_seed(config.loop.seed)
    joined = torch.cat(
        [features(torch.from_numpy(e.motion.astype(np.float32))[None])[0] for e in examples[:: max(1, len(examples) // 400)]]
    )
    judge.mean.copy_(joined.mean(0))
    judge.scale.copy_(joined.std(0).clamp(min=0.01))
    run = TrainingRun("motion_judge", judge, config.loop, out, on_progress, generator)

    def step(index: int) -> tuple[Tensor, dict[str, Tensor]]:
        picks = torch.randint(len(examples), (config.batch,), generator=generator).tolist()
        motion, inside, functions, affects, known = batch_of([examples[i] for i in picks])
        noisy = motion + config.noise * judge.scale[: motion.shape[-1]] * torch.randn(motion.shape, generator=generator)
        says, feels = judge(noisy, inside)
        said = F.binary_cross_entropy_with_logits(says[known], functions[known], reduction="none").sum(-1).mean()
        felt = -(affects[known] * feels[known].log_softmax(-1)).sum(-1).mean()
        return said + config.affect_weight * felt, {"functions": said, "affects": felt}

    run.run(step)
    return judge.eval(), run.describe()


def batch_of(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Motion [B, F, 61], frames inside [B, P, F], functions [B, P, N], affects [B, P, 5], and which phrases [B, P] there are."""
    frames, phrases = max(len(e.motion) for e in examples), max(len(e.spans) for e in examples)
    motion = np.stack([np.pad(e.motion, ((0, frames - len(e.motion)), (0, 0)), mode="edge") for e in examples]).astype(np.float32)
    inside = np.zeros((len(examples), phrases, frames), bool)
    functions = np.zeros((len(examples), phrases, examples[0].labels.functions.shape[1]), np.float32)
    affects, known = np.zeros((len(examples), phrases, 5), np.float32), np.zeros((len(examples), phrases), bool)
    for row, e in enumerate(examples):
        count = len(e.spans)
        inside[row, :count, : len(e.motion)] = frames_inside(e.spans, len(e.motion))
        functions[row, :count], affects[row, :count], known[row, :count] = e.labels.functions, e.labels.affects, True
    return (*(torch.from_numpy(x) for x in (motion, inside, functions, affects, known)),)  # pyright: ignore[reportReturnType]


def tune(judge: MotionJudge, examples: Sequence[Example], config: JudgeTraining) -> None:
    """Set the judge's thresholds and which functions count."""
    read = np.concatenate([judge.read(e.motion, e.spans).functions for e in examples])
    true = np.concatenate([e.labels.functions for e in examples]) > 0.5
    for index in range(read.shape[1]):
        scores = [_f1(read[:, index] >= threshold, true[:, index]) for threshold in THRESHOLDS]
        best = int(np.argmax(scores))
        judge.threshold[index] = float(THRESHOLDS[best])
        judge.readable[index] = float(scores[best] >= config.readable and true[:, index].sum() >= config.fewest)


def function_f1(judge: MotionJudge, examples: Sequence[Example]) -> float:
    """Micro-F1 over the functions that can be read."""
    keep = judge.readable.numpy() > 0.5
    read = np.concatenate([judge.read(e.motion, e.spans).functions for e in examples]) >= judge.threshold.numpy()
    true = np.concatenate([e.labels.functions for e in examples]) > 0.5
    return round(_f1(read[:, keep], true[:, keep]), 4)


def _f1(read: np.ndarray, true: np.ndarray) -> float:
    return float(f1(np.array([(read & true).sum(), read.sum(), true.sum()])))
