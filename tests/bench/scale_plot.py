"""Latency under load as a picture, from the flat report of `scale.py`."""

from pathlib import Path
from typing import Any

from scale_service import levels


def draw_latency(report: dict[str, Any], path: Path) -> None:
    """First sound and motion by the number of people at once: p50, p95, and the gaps that were heard. PNG."""
    from matplotlib.figure import Figure

    slots = int(report["slots"])
    names, people = zip(*levels(slots).items(), strict=True)
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for name, colour in (("p50", "#2f6fde"), ("p95", "#e0662f")):
        axes.plot(people, [report[f"frl_{name}_ms_at_{level}"] for level in names], "o-", color=colour, label=name)
    counted = [f"{report[f'underruns_at_{level}']} gaps\n{report[f'refused_at_{level}']} refused" for level in names]
    axes.axvspan(slots, 2 * slots, color="#00000010", lw=0)
    axes.set_xscale("log", base=2)
    axes.set_xticks(people, [f"{n}\n{found}" for n, found in zip(people, counted, strict=True)])
    axes.tick_params(axis="x", labelsize=8)
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set(xlabel=f"people at once ({slots} slots; shaded: more people than slots)", ylabel="first sound and motion, ms")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=140)
