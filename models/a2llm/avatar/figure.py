"""One picture of an answer: sound, phones and words, face curves, and rendered faces, on one time axis.

It draws with matplotlib's Agg canvas and no global state; it measures nothing.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from a2llm.avatar.render import HeadRenderer
from a2llm.files import replacing
from a2llm.rig import ARKIT61

Spans = Sequence[Mapping[str, Any]]
WIDTH_PX, HEIGHT_PX, DPI = 1600, 1000, 100
LEFT, RIGHT = 0.062, 0.962  # of the width: the time axis
FACES, FACE_PX, FACE_CROP = 8, 320, (0.04, 0.68, 0.18, 0.82)  # crop: top, bottom, left, right
INK, MUTED, GRID, PAPER, PANEL = "#1f2a37", "#6b7685", "#d9dee6", "#fbfcfd", "#f1f4f8"
AFFECT_COLORS = {
    "neutral": "#64748b",
    "joy": "#d99a1c",
    "sadness": "#3f6fb5",
    "anger": "#c2453a",
    "surprise": "#7c54c4",
}
# Each curve is the mean of the first names minus the mean of the second.
CURVES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "jaw": ("#c2453a", ("jawOpen",), ()),
    "smile": ("#d99a1c", ("mouthSmileLeft", "mouthSmileRight"), ("mouthFrownLeft", "mouthFrownRight")),
    "brow": ("#3f6fb5", ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), ("browDownLeft", "browDownRight")),
    "blink": ("#2f8f6b", ("eyeBlinkLeft", "eyeBlinkRight"), ()),
}
SILENT_PHONES = set(' ˈˌ.,!?;:—…"()“”')


def response_figure(
    out_path: str | Path,
    pcm: np.ndarray,
    sample_rate_hz: int,
    phones: Spans,
    words: Spans,
    motion: np.ndarray,
    fps: float,
    affect: str = "neutral",
    title: str = "",
    avatar: str | Path = "woman",
) -> None:
    """Write answer.png, 1600 x 1000 pixels.

    pcm float32 [S]; phones {"phone", "start_ms", "end_ms"}; words {"word", "start_ms", "end_ms"}; motion [F, 61];
    affect "joy:0.7". Raises ValueError when there is no motion or its width is not 61.
    """
    motion = np.asarray(motion, np.float32)
    if motion.ndim != 2 or motion.shape[1] != ARKIT61.size or not len(motion):
        raise ValueError(f"motion must be [F, {ARKIT61.size}] with at least one frame, not {motion.shape}")
    seconds = max(len(pcm) / sample_rate_hz, len(motion) / fps)
    figure = Figure((WIDTH_PX / DPI, HEIGHT_PX / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    _header(figure, title, affect, seconds)
    wave, lane, curves = (_time_axes(figure, *box, seconds) for box in ((0.685, 0.205), (0.6, 0.08), (0.268, 0.318)))
    _draw_wave(wave, np.asarray(pcm, np.float32), sample_rate_hz, AFFECT_COLORS.get(_category(affect), INK))
    _draw_words(wave, words, seconds)
    _draw_phones(lane, phones, seconds)
    _draw_curves(curves, motion, fps)
    _draw_faces(figure, curves, motion, fps, seconds, avatar)
    with warnings.catch_warnings(), replacing(out_path) as temporary:
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # emoji or CJK in a title: boxes, no failure
        figure.savefig(temporary, format="png", facecolor=PAPER)


def _category(affect: str) -> str:
    return affect.split(":")[0].strip().lower()


def _header(figure: Figure, title: str, affect: str, seconds: float) -> None:
    title = " ".join(title.split())
    short = title if len(title) <= 110 else title[:107].rstrip() + "…"
    figure.text(LEFT, 0.952, short, fontsize=17, color=INK, weight="bold", va="center", parse_math=False)
    color = AFFECT_COLORS.get(_category(affect), MUTED)
    label = f"  {affect.replace(':', '  ')}  "
    pill = {"boxstyle": "round,pad=0.35,rounding_size=0.9", "facecolor": color, "edgecolor": "none"}
    figure.text(LEFT + 0.004, 0.914, label, fontsize=11, color="white", weight="bold", va="center", bbox=pill, parse_math=False)
    figure.text(RIGHT, 0.914, f"{seconds:.2f} s", fontsize=12, color=MUTED, ha="right", va="center")


def _time_axes(figure: Figure, bottom: float, height: float, seconds: float) -> Axes:
    axes = figure.add_axes((LEFT, bottom, RIGHT - LEFT, height), facecolor=PANEL)
    axes.set_xlim(0, seconds)
    axes.set_yticks([])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _lane_name(axes: Axes, name: str, y: float = 0.5, color: str = MUTED) -> None:
    axes.text(-0.008, y, name, transform=axes.transAxes, ha="right", va="center", fontsize=11, color=color)


def _draw_wave(axes: Axes, pcm: np.ndarray, sample_rate_hz: int, color: str) -> None:
    _lane_name(axes, "sound", 0.42)
    if not len(pcm):
        return
    step = max(1, len(pcm) // 2400)
    blocks = pcm[: len(pcm) // step * step].reshape(-1, step)  # [n, step]
    time_s = (np.arange(len(blocks)) + 0.5) * step / sample_rate_hz
    peak = max(float(np.abs(pcm).max()), 1e-3)
    axes.fill_between(time_s, blocks.min(1) / peak, blocks.max(1) / peak, color=color, alpha=0.45, linewidth=0.5)
    rms = np.sqrt((blocks**2).mean(1)) / peak
    axes.fill_between(time_s, -rms, rms, color=color, linewidth=0)
    axes.set_ylim(-1.08, 1.75)  # the space above holds the words


def _draw_words(axes: Axes, words: Spans, seconds: float) -> None:
    """Words at their times, in up to three rows so that short neighbours do not collide."""
    axes.set_ylim(-1.08, 1.75)
    size = 12 if len(words) / seconds < 3.2 and seconds < 12 else 10
    per_character_s = seconds * size * 0.62 * DPI / 72 / (WIDTH_PX * (RIGHT - LEFT))
    free_from = [-1.0, -1.0, -1.0]
    for word in words:
        start, end, text = word["start_ms"] / 1000, word["end_ms"] / 1000, str(word["word"])
        middle, half = (start + end) / 2, per_character_s * (len(text) + 1) / 2
        axes.axvspan(start, end, ymin=0, ymax=1, color="white", alpha=0.55, linewidth=0, zorder=0.5)
        row = next((r for r, free in enumerate(free_from) if middle - half >= free), None)
        if row is not None:
            free_from[row] = middle + half
            axes.text(middle, 1.22 + 0.2 * row, text, ha="center", va="bottom", fontsize=size, color=INK, parse_math=False, clip_on=True)


def _draw_phones(axes: Axes, phones: Spans, seconds: float) -> None:
    _lane_name(axes, "phones")
    axes.set_ylim(0, 1)
    audible = [p for p in phones if p["end_ms"] > p["start_ms"] and p["phone"] not in SILENT_PHONES]
    size = float(np.clip(900 / max(len(audible), 1), 6.5, 14))
    pixels_per_s = WIDTH_PX * (RIGHT - LEFT) / seconds
    for number, phone in enumerate(audible):
        start, length = phone["start_ms"] / 1000, (phone["end_ms"] - phone["start_ms"]) / 1000
        box = FancyBboxPatch(
            (start, 0.16),
            length,
            0.68,
            boxstyle="square,pad=0",
            linewidth=0.8,
            edgecolor=PANEL,
            facecolor="#dbe4f0" if number % 2 else "#c9d6e8",
        )
        axes.add_patch(box)
        if length * pixels_per_s > size * 0.75:
            style = {"ha": "center", "va": "center_baseline", "fontsize": size, "color": INK, "parse_math": False}
            axes.text(start + length / 2, 0.5, str(phone["phone"]), **style)


def curve(motion: np.ndarray, name: str) -> np.ndarray:
    """One of CURVES over time: motion [F, 61] -> float32 [F], 0..1 up, below zero for its opposite (frown, brow down)."""
    _, up, down = CURVES[name]
    rise = motion[:, ARKIT61.indices(*up)].mean(1)
    return rise - motion[:, ARKIT61.indices(*down)].mean(1) if down else rise


def _draw_curves(axes: Axes, motion: np.ndarray, fps: float) -> None:
    time_s = (np.arange(len(motion)) + 0.5) / fps
    axes.set_ylim(0, len(CURVES))
    for lane, (name, (color, _, _)) in enumerate(reversed(CURVES.items())):
        values = curve(motion, name)
        low, high = min(0.0, float(values.min())), max(0.3, float(values.max()))
        scale = 0.82 / (high - low)
        zero = lane + 0.09 - low * scale
        axes.axhline(lane, color=PAPER, linewidth=3)
        axes.axhline(zero, color=GRID, linewidth=1)
        axes.fill_between(time_s, zero, zero + values * scale, color=color, alpha=0.22, linewidth=0)
        axes.plot(time_s, zero + values * scale, color=color, linewidth=1.9, solid_joinstyle="round")
        _lane_name(axes, name, (lane + 0.5) / len(CURVES), color)
        note = f"{values.max():.2f}" if low > -0.005 else f"{values.max():.2f}\n{low:.2f}".replace("-", "−")
        axes.text(1.006, (lane + 0.5) / len(CURVES), note, transform=axes.transAxes, va="center", fontsize=10, color=color)


def _draw_faces(figure: Figure, curves: Axes, motion: np.ndarray, fps: float, seconds: float, avatar: str | Path) -> None:
    """Eight faces, each centred under its moment on the time axis, and the axis' labels above them."""
    curves.tick_params(axis="x", labelbottom=True, labelsize=10, labelcolor=MUTED, pad=5)
    curves.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    renderer = HeadRenderer(avatar, FACE_PX, FACE_PX)
    top, bottom, left, right = (round(share * FACE_PX) for share in FACE_CROP)
    slot = (RIGHT - LEFT) / FACES
    side = slot * 0.955
    height = side * WIDTH_PX / HEIGHT_PX
    for number in range(FACES):
        moment_s = (number + 0.5) / FACES * seconds
        frame = motion[min(int(moment_s * fps), len(motion) - 1)]
        axes = figure.add_axes((LEFT + slot * number + (slot - side) / 2, 0.038, side, height))
        axes.imshow(renderer.render(frame)[top:bottom, left:right], interpolation="lanczos", aspect="auto")
        axes.set_axis_off()
        axes.text(0.5, -0.035, f"{moment_s:.2f} s", transform=axes.transAxes, ha="center", va="top", fontsize=9.5, color=MUTED)
        curves.axvline(moment_s, color=INK, linewidth=0.8, alpha=0.35, linestyle=(0, (4, 3)))
