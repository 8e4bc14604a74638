"""Training of the judge of masked faces (`evaluation.affect_classifier`) on the teacher motions of a data set. On the CPU."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.affect import AFFECTS
from a2llm.checkpoint import save_component
from a2llm.data.shards import Utterance, read_shards
from a2llm.evaluation.affect_classifier import FILE, WINDOW_FRAMES, AffectClassifier
from a2llm.training.loop import LoopConfig, Progress, TrainingRun

LEAST_INTENSITY = 0.4  # a fainter affect is no example of itself
NOISE = 0.03  # keeps the judge from living on values no other source would hit exactly


@dataclass(frozen=True)
class ClassifierTraining:
    """Width, examples of each affect, batches. The rate stays at its peak, and nothing is clipped."""

    width: int = 48
    clips: int = 500
    held_out_clips: int = 60
    batch: int = 64
    smoothing: float = 0.05
    loop: LoopConfig = field(
        default_factory=lambda: LoopConfig(
            steps=300, peak_lr=2e-3, warmup_steps=1, final_share=1.0, weight_decay=0.01, betas=(0.9, 0.999), clip=1e9
        )
    )


Example = tuple[np.ndarray, int]  # motion [F, 61], index into AFFECTS


def train_affect_classifier(data: Path, out: Path, config: ClassifierTraining, on_progress: Progress | None = None) -> dict[str, float]:
    """Train on the train split of the shards in `data` and write `out`/affect_classifier.safetensors; one or two minutes.

    Returns how often the judge is right (percent) on texts of the held-out split. Raises ValueError when the folder holds no
    shards or lacks an affect.
    """
    train, held_out = _examples(read_shards(data), config)
    judge, facts = fit_affect_classifier([m for m, _ in train], [label for _, label in train], out, config, on_progress)
    right = [judge.predict(motion) == label for motion, label in held_out]
    figures = {
        "held_out_accuracy_pct": round(100.0 * float(np.mean(right)), 1) if right else float("nan"),
        "held_out_clips": float(len(right)),
        "train_clips": float(len(train)),
    }
    described = {"data": "teacher motion, train split", "recipe": asdict(config), "training": facts, "figures": figures}
    save_component(out / FILE, "affect_classifier", {"width": config.width}, judge.state_dict(), described)
    return figures


def fit_affect_classifier(
    motions: Sequence[np.ndarray], labels: Sequence[int], out: Path, config: ClassifierTraining, on_progress: Progress | None = None
) -> tuple[AffectClassifier, dict[str, object]]:
    """Train on clips [F, 61] with labels (indices into AFFECTS); returns the judge and the facts of its run, which lives in `out`.

    Raises ValueError when clips and labels differ in number or an affect is missing.
    """
    target = np.asarray(labels, np.int64)
    if len(target) != len(motions) or set(target.tolist()) != set(range(len(AFFECTS))):
        raise ValueError("every clip needs a label, and every affect at least one clip")
    generator = torch.Generator().manual_seed(config.loop.seed)
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    judge = AffectClassifier(config.width).train()
    joined = torch.from_numpy(np.concatenate(list(motions)).astype(np.float32))[:, judge.seen]
    judge.mean.copy_(joined.mean(0))
    judge.scale.copy_(joined.std(0).clamp(min=0.05))
    run = TrainingRun("affect_classifier", judge, config.loop, out, on_progress, generator)

    def step(index: int) -> tuple[Tensor, dict[str, Tensor]]:
        x, y = _batch(motions, target, config.batch, generator)
        logits = judge(x)
        loss = nn.functional.cross_entropy(logits, y, label_smoothing=config.smoothing)
        return loss, {"accuracy": (logits.argmax(-1) == y).float().mean()}

    run.run(step)
    return judge.eval(), run.describe()


def _batch(motions: Sequence[np.ndarray], labels: np.ndarray, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random windows [B, W, 61] with a little noise, and their labels [B]; short clips hold their last frame."""
    pick = torch.randint(len(motions), (size,), generator=generator).tolist()
    place = torch.rand(size, generator=generator).tolist()
    clips = []
    for index, share in zip(pick, place, strict=True):
        clip = motions[index]
        start = int(share * max(len(clip) - WINDOW_FRAMES, 0))
        clip = clip[start : start + WINDOW_FRAMES]
        clips.append(np.pad(clip, ((0, WINDOW_FRAMES - len(clip)), (0, 0)), mode="edge"))
    x = torch.from_numpy(np.stack(clips).astype(np.float32))
    return x + NOISE * torch.randn(x.shape, generator=generator), torch.from_numpy(labels[pick])


def _examples(utterances: Iterable[Utterance], config: ClassifierTraining) -> tuple[list[Example], list[Example]]:
    """The first clips of each affect of the train split, and of the held-out one; stops as soon as there are enough."""
    wanted = {"train": config.clips, "held_out": config.held_out_clips}
    found: dict[str, list[list[Example]]] = {split: [[] for _ in AFFECTS] for split in wanted}
    for u in utterances:
        label = AFFECTS.index(u.category)
        clips = found[u.split][label]
        if len(clips) < wanted[u.split] and (label == 0 or u.intensity >= LEAST_INTENSITY):
            clips.append((u.motion.astype(np.float32), label))
        if all(len(c) == wanted[split] for split, groups in found.items() for c in groups):
            break
    train, held_out = ([clip for group in found[split] for clip in group] for split in ("train", "held_out"))
    return train, held_out
