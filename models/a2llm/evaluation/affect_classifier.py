"""A frozen judge: which affect does a face show when its mouth is hidden?

A small convolution over mouth-masked arkit61 motion, trained on teacher motion whose sentences and seeds are disjoint
from every evaluation. It measures; it is no part of the product. Beside its verdicts stand its ceiling (the real
motions) and its floor (the same verdicts against shuffled labels).
"""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from a2llm.affect import AFFECTS
from a2llm.checkpoint import load_component, save_component
from a2llm.data.shards import Utterance, read_shards
from a2llm.rig import ARKIT61

FILE = "affect_classifier.safetensors"  # beside the other trained parts
LEAST_INTENSITY = 0.4  # a fainter affect is no example of itself
CLIPS_PER_AFFECT, HELD_OUT_PER_AFFECT, STEPS = 500, 60, 300

WINDOW_FRAMES = 80  # 2 s, enough to see past one blink or one raised brow
NOISE = 0.03  # keeps the judge from living on values no other source would hit exactly


class AffectClassifier(nn.Module):
    """Mouth-masked motion [B, F, 61] -> logits [B, 5] in the order of AFFECTS."""

    mean: Tensor
    scale: Tensor
    seen: Tensor

    def __init__(self, width: int = 48) -> None:
        super().__init__()
        seen = ARKIT61.group("not_mouth")
        self.register_buffer("seen", torch.from_numpy(seen))
        self.register_buffer("mean", torch.zeros(len(seen)))
        self.register_buffer("scale", torch.ones(len(seen)))
        self.body = nn.Sequential(
            nn.Conv1d(len(seen), width, 5, stride=2, padding=2),
            nn.GELU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.GELU(),
        )
        self.head = nn.Linear(2 * width, len(AFFECTS))

    def forward(self, motion: Tensor) -> Tensor:
        x = (motion[..., self.seen] - self.mean) / self.scale
        x = self.body(x.transpose(1, 2))  # [B, W, F / 4]
        return self.head(torch.cat([x.mean(-1), x.amax(-1)], dim=-1))

    @torch.no_grad()
    def predict(self, motion: np.ndarray) -> int:
        """Index into AFFECTS for one clip [F, 61]; mean of the probabilities of its 2 s windows."""
        starts = range(0, max(len(motion) - WINDOW_FRAMES // 2, 1), WINDOW_FRAMES // 2)
        parts = [torch.from_numpy(np.float32(motion[at : at + WINDOW_FRAMES]))[None] for at in starts]
        chance = torch.stack([self(part).softmax(-1)[0] for part in parts])
        return int(chance.mean(0).argmax())


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


def train_affect_classifier(motions: Sequence[np.ndarray], labels: Sequence[int], steps: int, generator: torch.Generator,
                            on_progress: Callable[[int, int, dict[str, float]], None] | None = None) -> dict[str, Tensor]:  # fmt: skip
    """Train on clips [F, 61] with labels (indices into AFFECTS); returns the state dict. Runs on the CPU in seconds.

    Raises ValueError when clips and labels differ in number or an affect is missing.
    """
    target = np.asarray(labels, np.int64)
    if len(target) != len(motions) or set(target.tolist()) != set(range(len(AFFECTS))):
        raise ValueError("every clip needs a label, and every affect at least one clip")
    torch.manual_seed(int(torch.randint(2**31, (1,), generator=generator)))
    model = AffectClassifier()
    joined = torch.from_numpy(np.concatenate(list(motions)).astype(np.float32))[:, model.seen]
    model.mean.copy_(joined.mean(0))
    model.scale.copy_(joined.std(0).clamp(min=0.05))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    for step in range(steps):
        x, y = _batch(motions, target, 64, generator)
        logits = model(x)
        loss = nn.functional.cross_entropy(logits, y, label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if on_progress is not None and (step % 20 == 0 or step == steps - 1):
            hits = (logits.argmax(-1) == y).float().mean()
            on_progress(step + 1, steps, {"loss": float(loss.detach()), "accuracy": float(hits)})
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def masked_affect_report(model: AffectClassifier, generated: Sequence[np.ndarray], real: Sequence[np.ndarray],
                         labels: Sequence[int], seed: int = 0) -> dict[str, float]:  # fmt: skip
    """Accuracy in percent on generated clips, on the real ones (ceiling) and against shuffled labels (floor).

    generated and real answer the same labels, clip by clip. The floor averages 100 shuffles of the labels.
    """
    target = np.asarray(labels)
    model.eval()
    made = np.array([model.predict(clip) for clip in generated])
    true = np.array([model.predict(clip) for clip in real])
    rng = np.random.default_rng(seed)
    floor = np.mean([(made == rng.permutation(target)).mean() for _ in range(100)])
    return {
        "masked_affect_accuracy_pct": 100.0 * float((made == target).mean()),
        "masked_affect_ceiling_pct": 100.0 * float((true == target).mean()),
        "masked_affect_floor_pct": 100.0 * float(floor),
    }


def load_affect_classifier(file: Path) -> AffectClassifier:
    """The frozen judge. Raises CheckpointError when the file is missing, damaged or something else."""
    part = load_component(file, "affect_classifier")
    judge = AffectClassifier(int(part.config["width"]))
    judge.load_state_dict(part.tensors)
    return judge.eval().requires_grad_(False)


def train_and_save_classifier(data_folder: Path, out: Path, steps: int = STEPS, seed: int = 0,
                              on_progress: Callable[[int, int, dict[str, float]], None] | None = None) -> dict[str, float]:  # fmt: skip
    """Train the judge on the teacher motions of the train split in `data_folder` and write it to the file `out`.

    Returns how often it is right (percent) on texts of the held-out split; one or two minutes of CPU. The same data and
    seed give the same weights. Raises ValueError when the folder holds no shards or lacks an affect.
    """
    started = time.perf_counter()
    train, held_out = _examples(read_shards(data_folder))
    motions, labels = [m for m, _ in train], [label for _, label in train]
    weights = train_affect_classifier(motions, labels, steps, torch.Generator().manual_seed(seed), on_progress)
    judge = AffectClassifier()
    judge.load_state_dict(weights)
    judge.eval()
    right = [judge.predict(motion) == label for motion, label in held_out]
    figures = {
        "held_out_accuracy_pct": round(100.0 * float(np.mean(right)), 1) if right else float("nan"),
        "held_out_clips": float(len(right)),
        "train_clips": float(len(train)),
        "seconds": round(time.perf_counter() - started, 1),
    }
    facts = {"data": "teacher motion, train split", "steps": steps, "seed": seed, "figures": figures}
    save_component(out, "affect_classifier", {"width": 48}, weights, facts)
    return figures


Example = tuple[np.ndarray, int]


def _examples(utterances: Iterable[Utterance]) -> tuple[list[Example], list[Example]]:
    """The first clips of each affect of the train split, and of the held-out one; stops as soon as there are enough."""
    wanted = {"train": CLIPS_PER_AFFECT, "held_out": HELD_OUT_PER_AFFECT}
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
