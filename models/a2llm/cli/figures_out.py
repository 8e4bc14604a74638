"""Measured figures: flat JSON, written whole or not at all, and a table on the terminal."""

import json
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from a2llm.cli.tables import print_table
from a2llm.files import replacing

SIGNS = {"<=": operator.le, ">=": operator.ge}
# What must show, by key: the sign and the number, and for a band both ends.
GOALS: dict[str, tuple[tuple[str, float], ...]] = {
    "wer_pct": (("<=", 4.0),),
    "codec_wer_pct": (("<=", 2.5),),
    "f0_std_ratio": ((">=", 0.85), ("<=", 1.15)),
    "audio_motion_lag_ms": ((">=", -40.0), ("<=", 40.0)),
    "lip_correlation": ((">=", 0.8),),
    "velocity_ratio": ((">=", 0.8), ("<=", 1.2)),
    "bilabial_closure_pct": ((">=", 90.0),),
    "blinks_per_min": ((">=", 8.0), ("<=", 30.0)),
    "masked_affect_accuracy_pct": ((">=", 70.0),),
    "frl_typed_p50_ms": (("<=", 250.0),),
    "frl_spoken_p50_ms": (("<=", 400.0),),
    "rtf": (("<=", 0.30),),
}


def flat(figures: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested figures as one level, names joined by an underscore."""
    out: dict[str, Any] = {}
    for name, value in figures.items():
        out |= flat(value, f"{prefix}{name}_") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return out


def write_figures(path: Path, figures: Mapping[str, Any]) -> None:
    """Flat JSON, one figure per line; numbers as Python's own."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(flat(figures), indent=1, default=_plain) + "\n", encoding="utf-8")


def print_figures(title: str, figures: Mapping[str, Any]) -> None:
    """A table with the goals beside the figures that have one."""
    rows = [(name, shown(value), *verdict(name, value)) for name, value in flat(figures).items()]
    print_table(("figure", "value", "goal", ""), rows, title)


def verdict(name: str, value: Any) -> tuple[str, str]:
    """The goal of a figure and whether it is met; empty where there is none."""
    goals = GOALS.get(name, ())
    if not goals or not isinstance(value, int | float):
        return "", ""
    met = all(SIGNS[sign](value, bound) for sign, bound in goals)
    return " ".join(f"{sign} {bound:g}" for sign, bound in goals), "[green]met[/]" if met else "[red]missed[/]"


def shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """Turns numpy's scalars and arrays into values for JSON."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
