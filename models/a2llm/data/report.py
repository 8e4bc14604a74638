"""Describes a data set in numbers and pictures: report.json, overview.png, motion.png.

It reads every shard once and keeps only what it reports; it judges nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from a2llm import weights
from a2llm.affect import AFFECTS
from a2llm.avatar.figure import AFFECT_COLORS, CURVES, curve
from a2llm.clock import FrameClock
from a2llm.data.shards import Utterance, read_shard
from a2llm.data.stages import TEXT, shards_of
from a2llm.data.visemes import STRESS
from a2llm.files import replacing
from a2llm.talker.phones import PhoneTable

VOICED_HZ = 50.0
EXAMPLE_S = (2.0, 6.0)  # how long a motion example may be
EXAMPLE_INTENSITY = 0.6
PERCENTILES = (5, 50, 95)
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Row:
    """One utterance in short. f0 is nan where nothing is voiced."""

    sample: int
    affect: str
    intensity: float
    split: str
    seconds: float
    phones: int
    words: int
    f0_median_hz: float
    f0_std_st: float


@dataclass
class Survey:
    """Results of one pass over the shards. examples: one motion [F, 61] per affect, with its text."""

    rows: list[Row] = field(default_factory=list)
    phones: Counter[int] = field(default_factory=Counter)
    examples: dict[str, tuple[str, np.ndarray]] = field(default_factory=dict)
    shards: int = 0

    def add(self, utterance: Utterance, clock: FrameClock) -> None:
        seconds = len(utterance.motion) / clock.motion_hz
        voiced = utterance.f0_hz[utterance.f0_hz > VOICED_HZ].astype(np.float64)
        median = float(np.median(voiced)) if len(voiced) else float("nan")
        spread = float((12 * np.log2(voiced / median)).std()) if len(voiced) else float("nan")
        u, words = utterance, int(utterance.words.max()) + 1 if len(utterance.words) else 0
        self.rows.append(Row(u.sample, u.category, u.intensity, u.split, seconds, len(u.phones), words, median, spread))
        self.phones.update(u.phones[u.durations > 0].tolist())
        strong = u.category == "neutral" or u.intensity >= EXAMPLE_INTENSITY
        if u.category not in self.examples and strong and EXAMPLE_S[0] <= seconds <= EXAMPLE_S[1]:
            self.examples[u.category] = (u.text, u.motion.astype(np.float32))


def survey(folder: Path, on_progress: OnProgress | None = None, clock: FrameClock | None = None) -> Survey:
    """One pass over the speech shards of a data folder. Raises ValueError when there is none."""
    files = sorted(shards_of(folder).glob("speech-*.npz"))
    if not files:
        raise ValueError(f"{folder} holds no speech shards: run `a2 data build --out {folder}` first")
    found = Survey(shards=len(files))
    for number, file in enumerate(files):
        for utterance in read_shard(file):
            found.add(utterance, clock or FrameClock())
        if on_progress:
            on_progress(number + 1, len(files))
    return found


def describe(folder: Path, found: Survey) -> dict[str, Any]:
    """Returns the numbers of report.json, ready for JSON."""
    rows = found.rows
    return {
        "hours": _hours(rows),
        "utterances": len(rows),
        "texts": len({row.sample for row in rows}),
        "shards": found.shards,
        "texts_with_hidden_states": _hidden_states(folder),
        "sources": _sources(folder),
        "seconds": _spread([row.seconds for row in rows]),
        "words_per_utterance": _spread([row.words for row in rows]),
        "splits": {name: _group([r for r in rows if r.split == name]) for name in sorted({r.split for r in rows})},
        "affects": {name: _group([r for r in rows if r.affect == name]) for name in AFFECTS},
        "phones": _phone_counts(found.phones),
    }


def _group(rows: Sequence[Row]) -> dict[str, Any]:
    """Size and voice of some utterances."""
    seconds = sum(row.seconds for row in rows)
    return {
        "utterances": len(rows),
        "texts": len({row.sample for row in rows}),
        "hours": _hours(rows),
        "intensity_mean": _mean([row.intensity for row in rows]),
        "f0_median_hz": _mean([row.f0_median_hz for row in rows]),
        "f0_std_st": _mean([row.f0_std_st for row in rows]),
        "phones_per_s": round(sum(row.phones for row in rows) / seconds, 2) if seconds else None,
    }


def _hours(rows: Sequence[Row]) -> float:
    return round(sum(row.seconds for row in rows) / 3600, 3)


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if np.isfinite(value)]
    return round(float(np.mean(known)), 3) if known else None


def _spread(values: Sequence[float]) -> dict[str, float]:
    found = np.percentile(values, PERCENTILES) if len(values) else [0.0] * len(PERCENTILES)
    return {f"p{percent}": round(float(value), 2) for percent, value in zip(PERCENTILES, found, strict=True)}


def _hidden_states(folder: Path) -> int:
    """Texts whose hidden states are there."""
    total = 0
    for file in sorted(shards_of(folder).glob("hidden-*.npz")):
        with np.load(file) as data:
            total += len(data["samples"])
    return total


def _sources(folder: Path) -> dict[str, int]:
    """Counts the texts by their source."""
    file = folder / TEXT
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return dict(Counter(str(json.loads(line)["source"]) for line in lines).most_common())


def _phone_counts(phones: Counter[int]) -> dict[str, int]:
    """How often each sounding phone occurs, most frequent first; marks and spaces left out."""
    symbols = PhoneTable.load(weights.resolve("g2p")).symbols()
    named = ((symbols.get(phone, "?"), count) for phone, count in phones.most_common())
    return {symbol: count for symbol, count in named if symbol.isalpha() and symbol not in STRESS}


def write_report(folder: Path, out: Path, on_progress: OnProgress | None = None) -> list[Path]:
    """Survey `folder` and write report.json, overview.png and motion.png into `out`; returns the files."""
    found = survey(folder, on_progress)
    report = describe(folder, found)
    with replacing(out / "report.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _save(_overview(report, found.rows), out / "overview.png")
    _save(_motion(found), out / "motion.png")
    return [out / name for name in ("report.json", "overview.png", "motion.png")]


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110)


def _overview(report: dict[str, Any], rows: Sequence[Row]) -> Figure:
    figure = Figure((15, 11), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{report['hours']:.1f} hours, {report['utterances']:,} utterances of {report['texts']:,} texts", fontsize=14)
    grid = figure.add_gridspec(4, 3)
    panels = [figure.add_subplot(grid[place // 3, place % 3]) for place in range(9)]
    _affect_hours(panels[0], rows)
    _histogram(panels[1], [r.seconds for r in rows], "duration of an utterance (s)")
    _histogram(panels[2], [r.intensity for r in rows if r.affect != "neutral"], "intensity, neutral apart")
    _by_affect(panels[3], rows, "f0_median_hz", "median f0 (Hz)")
    _by_affect(panels[4], rows, "f0_std_st", "spread of f0 (semitones)")
    _tempo(panels[5], report["affects"])
    _bars(panels[6], report["sources"], "texts by source")
    _bars(panels[7], {k: v["hours"] for k, v in report["splits"].items()}, "hours by split")
    _histogram(panels[8], [float(r.words) for r in rows], "words in an utterance")
    _bars(figure.add_subplot(grid[3, :]), report["phones"], "phones")
    return figure


def _affect_hours(axes: Axes, rows: Sequence[Row]) -> None:
    """Hours of every affect, the held-out share in a darker tone."""
    for place, name in enumerate(AFFECTS):
        held_out = sum(r.seconds for r in rows if r.affect == name and r.split != "train") / 3600
        train = sum(r.seconds for r in rows if r.affect == name and r.split == "train") / 3600
        axes.bar(place, train, color=AFFECT_COLORS[name], alpha=0.7)
        axes.bar(place, held_out, bottom=train, color=AFFECT_COLORS[name])
    axes.set_xticks(range(len(AFFECTS)), AFFECTS, fontsize=8)
    axes.set_title("hours by affect (dark: held out)", fontsize=10)


def _histogram(axes: Axes, values: Sequence[float], title: str) -> None:
    axes.hist(values, bins=40, color="#3f6fb5")
    axes.set_title(title, fontsize=10)


def _by_affect(axes: Axes, rows: Sequence[Row], name: str, title: str) -> None:
    """Median and middle half of one figure for every affect."""
    for place, affect in enumerate(AFFECTS):
        values = np.array([getattr(r, name) for r in rows if r.affect == affect])
        values = values[np.isfinite(values)]
        if len(values):
            low, middle, high = np.percentile(values, (25, 50, 75))
            axes.errorbar(place, middle, [[middle - low], [high - middle]], fmt="o", color=AFFECT_COLORS[affect], capsize=6, linewidth=2)
    axes.set_xticks(range(len(AFFECTS)), AFFECTS, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.grid(axis="y", alpha=0.3)


def _tempo(axes: Axes, affects: dict[str, dict[str, Any]]) -> None:
    axes.bar(range(len(AFFECTS)), [affects[name]["phones_per_s"] or 0 for name in AFFECTS], color=[AFFECT_COLORS[name] for name in AFFECTS])
    axes.set_xticks(range(len(AFFECTS)), AFFECTS, fontsize=8)
    axes.set_title("phones per second", fontsize=10)


def _bars(axes: Axes, counts: dict[str, float], title: str) -> None:
    axes.bar(range(len(counts)), list(counts.values()), color="#2f8f6b")
    axes.set_xticks(range(len(counts)), list(counts), fontsize=9)
    axes.margins(x=0.02)
    axes.set_title(title, fontsize=10)


def _motion(found: Survey) -> Figure:
    """One row per affect: jaw, smile, brow and blink of one utterance over time."""
    figure = Figure((12, 11), layout="constrained")
    FigureCanvasAgg(figure)
    motion_hz = FrameClock().motion_hz
    for row, affect in enumerate(AFFECTS):
        axes = figure.add_subplot(len(AFFECTS), 1, row + 1)
        text, motion = found.examples.get(affect, ("(no example)", np.zeros((2, 61), np.float32)))
        time_s = np.arange(len(motion)) / motion_hz
        for name, (color, _, _) in CURVES.items():
            axes.plot(time_s, curve(motion, name), color=color, label=name, linewidth=1.4)
        axes.set_title(f"{affect}: {text}", fontsize=9, loc="left", parse_math=False)
        axes.grid(alpha=0.3)
        axes.margins(x=0)
    figure.axes[0].legend(loc="upper right", ncols=len(CURVES), fontsize=8)
    return figure
