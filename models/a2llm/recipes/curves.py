"""The pictures of the curves that trainings leave: one for each."""

import json
import math
from pathlib import Path

from a2llm.training.loop import CURVE

COLUMNS, PANEL_INCHES = 4, (3.4, 2.4)


def draw_curves(folder: Path) -> list[Path]:
    """Draw NAME.curve.png for every curve in the folder; returns the pictures."""
    return [draw_curve(file) for file in sorted(folder.glob(f"*{CURVE}")) if file.stat().st_size]


def draw_curve(file: Path) -> Path:
    """One panel per figure, steps along x."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in file.read_text().splitlines()]
    names = [name for name in dict.fromkeys(k for row in rows for k in row) if name not in ("step", "spent_s")]
    lines = max(1, math.ceil(len(names) / COLUMNS))
    figure = Figure((COLUMNS * PANEL_INCHES[0], lines * PANEL_INCHES[1]))
    FigureCanvasAgg(figure)
    # Fixed margins: the layout engines draw everything twice.
    figure.subplots_adjust(left=0.04, right=0.99, bottom=0.25 / lines, top=1 - 0.15 / lines, wspace=0.25, hspace=0.4)
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
