"""Loss curves: one JSON line per report while training, one picture per curve afterwards."""

import json
import math
from pathlib import Path

from a2llm.recipes.job import Progress

SUFFIX = ".curve.jsonl"
COLUMNS, PANEL_INCHES = 4, (3.4, 2.4)


class Curve:
    """Writes what a training tells to OUT/NAME.curve.jsonl, from the beginning, and passes it on."""

    def __init__(self, folder: Path, name: str, then: Progress | None = None) -> None:
        self._file, self._then = folder / f"{name}{SUFFIX}", then
        folder.mkdir(parents=True, exist_ok=True)
        self._file.write_text("")

    def __call__(self, step: int, steps: int, figures: dict[str, float]) -> None:
        with self._file.open("a") as file:
            file.write(json.dumps({"step": step} | {k: round(float(v), 5) for k, v in figures.items()}) + "\n")
        if self._then:
            self._then(step, steps, figures)


def draw_curves(folder: Path) -> list[Path]:
    """Draw NAME.curve.png for every curve in the folder; returns the pictures."""
    return [draw_curve(file) for file in sorted(folder.glob(f"*{SUFFIX}")) if file.stat().st_size]


def draw_curve(file: Path) -> Path:
    """One panel per figure, steps along x."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in file.read_text().splitlines()]
    names = [name for name in dict.fromkeys(k for row in rows for k in row) if name not in ("step", "spent_s")]
    lines = max(1, math.ceil(len(names) / COLUMNS))
    figure = Figure((COLUMNS * PANEL_INCHES[0], lines * PANEL_INCHES[1]), layout="constrained")
    FigureCanvasAgg(figure)
    for place, name in enumerate(names):
        points = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
        axes = figure.add_subplot(lines, COLUMNS, place + 1)
        axes.plot(*zip(*points, strict=True), linewidth=1.2, marker="." if len(points) < 12 else None)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
    picture = file.with_suffix(".png")
    figure.savefig(picture, dpi=110)
    return picture
