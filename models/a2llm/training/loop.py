"""The training loop every recipe shares: schedule, clipping, progress, loss curve, resumable checkpoints.

Ctrl-C saves and stops; a second start with the same folder goes on where it stopped, to the same weights as a run that was
never stopped. A finished run is only read again: for another one take another folder.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from a2llm.files import replacing
from a2llm.interrupt import undisturbed
from a2llm.training.distributed import ALONE, World

Step = Callable[[int], tuple[Tensor, Mapping[str, Tensor]]]
Progress = Callable[[int, int, dict[str, float]], None]
CURVE = ".curve.jsonl"  # one JSON line per report


@dataclass(frozen=True)
class LoopConfig:
    """One optimiser run. Times in seconds; the rate ends at `final_share` of its peak."""

    steps: int = 1000
    peak_lr: float = 1e-3
    warmup_steps: int = 100
    final_share: float = 0.01
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    seed: int = 0
    save_every_s: float = 120.0
    log_every: int = 20
    time_limit_s: float = 1e9

    def __post_init__(self) -> None:
        if self.steps <= 0 or self.peak_lr <= 0:
            raise ValueError("steps and peak_lr must be positive")

    def with_steps(self, steps: int) -> "LoopConfig":
        return replace(self, steps=steps)

    def rate(self, step: int, progress: float) -> float:
        """Linear warm-up, then cosine; progress runs 0..1."""
        warm = min(1.0, (step + 1) / max(1, self.warmup_steps))
        falling = 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
        return self.peak_lr * warm * (self.final_share + (1 - self.final_share) * falling)


def add_to_curve(folder: Path, name: str, step: int, figures: Mapping[str, float]) -> None:
    """One more line of FOLDER/NAME.curve.jsonl."""
    with (folder / f"{name}{CURVE}").open("a") as file:
        file.write(json.dumps({"step": step} | {key: round(value, 5) for key, value in figures.items()}) + "\n")


class TrainingRun:
    """Drives `step(index) -> (loss, figures)` for a module and keeps its state in a folder.

    generator: what the steps draw from; its state is kept too. Data that come in an order go on at `step_index`. world: the processes
    that train together; the leader alone writes and reports.
    """

    def __init__(
        self,
        name: str,
        module: nn.Module,
        config: LoopConfig,
        folder: Path,
        on_progress: Progress | None = None,
        generator: torch.Generator | None = None,
        world: World = ALONE,
    ) -> None:
        self.name, self.module, self.config, self.folder = name, module, config, folder
        self.on_progress, self._generator, self._world = on_progress, generator, world
        self.on_save: Callable[[], object] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        parameters = [p for p in module.parameters() if p.requires_grad]
        fused = bool(parameters) and parameters[0].is_cuda
        self.optimizer = torch.optim.AdamW(parameters, lr=config.peak_lr, betas=config.betas, weight_decay=config.weight_decay, fused=fused)
        self._parameters = parameters
        self.step_index, self.spent_s = 0, 0.0
        self._restore()

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.name}.run.pt"

    def _restore(self) -> None:
        if not self.checkpoint.exists():
            return
        saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.module.load_state_dict(saved["module"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step_index, self.spent_s = saved["step"], saved["spent_s"]
        if self._generator is not None:
            self._generator.set_state(saved["generator"])

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if not self._world.leads:
            return
        state = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step_index,
            "spent_s": self.spent_s,
        }
        if self._generator is not None:
            state["generator"] = self._generator.get_state()
        with replacing(self.checkpoint) as temporary:
            torch.save(state, temporary)
        if self.on_save:
            self.on_save()

    def _log(self, figures: Mapping[str, Tensor]) -> None:
        if not self._world.leads:
            return
        values = {name: float(value.detach()) for name, value in figures.items()}
        add_to_curve(self.folder, self.name, self.step_index, {"spent_s": self.spent_s, **values})
        if self.on_progress:
            self.on_progress(self.step_index, self.config.steps, values)

    @property
    def progress(self) -> float:
        """Share done, 0..1, by steps or by time, whichever is further."""
        by_time = self.spent_s / self.config.time_limit_s
        return max(self.step_index / self.config.steps, by_time)

    def _take(self, step: Step) -> dict[str, Tensor]:
        """One step, whole: a checkpoint in the middle of one would not go on as if nothing had happened."""
        with undisturbed():
            loss, figures = step(self.step_index)
            self._update(loss)
            self.step_index += 1
        return {"loss": loss, **figures}

    def _update(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, self.config.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate(self.step_index, self.progress)
        self.optimizer.step()

    def run(self, step: Step) -> None:
        """Train until the steps or the time are used up."""
        last, saved = time.monotonic(), time.monotonic()
        try:
            while self.step_index < self.config.steps and self.progress < 1.0:
                figures = self._take(step)
                now = time.monotonic()
                self.spent_s, last = self._world.agree(self.spent_s + now - last), now
                if self.step_index % self.config.log_every == 0 or self.step_index == self.config.steps:
                    self._log(figures)
                if now - saved > self.config.save_every_s:
                    self.save()
                    saved = now
        finally:
            self.save()

    def describe(self) -> dict[str, object]:
        return {"name": self.name, "steps": self.step_index, "spent_s": round(self.spent_s, 1), "config": asdict(self.config)}
