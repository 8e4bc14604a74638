"""One training job: where a recipe reads and writes, on which device, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from a2llm.training.loop import LoopConfig

Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class Job:
    """data: a data set's folder. out: where weights, checkpoints and curves go. minutes: stop then (default: the recipe's steps)."""

    data: Path
    out: Path
    device: str = "cpu"
    minutes: float | None = None
    on_progress: Progress | None = None

    def timed(self, loop: "LoopConfig") -> "LoopConfig":
        """The loop's configuration within this job's time."""
        return loop if self.minutes is None else replace(loop, time_limit_s=self.minutes * 60)
