"""The mouth from phones and times: coarticulated targets, then lip closures that nothing may soften.

Blending follows the dominance idea of Cohen & Massaro (1993): every target pulls before and after its own time, its
neighbours pull too, and how firmly depends on the articulator. It moves mouth, jaw and tongue, nothing else.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.data.visemes import BILABIALS, LENGTHENERS, PAUSES, PHONES, POSES, STRESS, UNSTRESSED, VOWELS
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

SHORT_PAUSE_FRAMES = 3  # a gap between words of up to 75 ms does not relax the mouth
AUDIBLE = 0.1  # loudness: 27 dB below the utterance's loud end
MIN_SOUND_FRAMES = 2
PRESSED_MM = -0.4  # at a closure the lips press into each other by at least this much, on every pair
_SPREAD = ("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight")
WIDTH = ARKIT61.indices(*_SPREAD, "mouthFunnel", "mouthPucker")  # what a mouth is wide or narrow with


@dataclass(frozen=True)
class Articulator:
    """Columns that move together: how long before and after its time a target pulls them (frames to fall to 1/e, with which
    power), and how much later than the middle of a frame they are (below zero: earlier)."""

    columns: np.ndarray
    anticipation: float = 2.6  # 65 ms
    carry_over: float = 1.8
    power: float = 1.3
    late: float = -0.5


# In the order of a shape's dominances. Jaw and width as fitted, see `visemes`; the width of a mouth follows its phones by 70 ms.
ARTICULATORS = (
    Articulator(ARKIT61.group("jaw"), 1.47, 1.72, 1.27, 0.5),
    Articulator(WIDTH, 2.81, 4.99, 1.3, 2.7),
    Articulator(np.setdiff1d(ARKIT61.group("lips"), WIDTH)),
    Articulator(ARKIT61.indices("tongueOut")),
)
_OPENERS = ARKIT61.indices(
    *("mouthFunnel", "mouthShrugUpper", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthUpperUpLeft", "mouthUpperUpRight", "tongueOut"),
)
_CLOSED = {"mouthPress": 0.05, "mouthRollLower": 0.15, "mouthRollUpper": 0.15}  # a press widens the mouth, which people do not do


@dataclass(frozen=True)
class Span:
    """One character of the phone string in time: frames [start, end), and how much stress scales its opening."""

    phone: str
    start: int
    end: int
    scale: float


def phone_spans(phones: str, durations_units: np.ndarray) -> list[Span]:
    """Phones with their frames; marks give their time to the phone they belong to. durations_units [P], one per character of `phones`.

    Raises ValueError for a length that differs from the durations' or a character without a shape.
    """
    if len(phones) != len(durations_units):
        raise ValueError(f"{len(phones)} phones but {len(durations_units)} durations")
    spans: list[Span] = []
    at = begin = 0
    stress = UNSTRESSED
    for phone, units in zip(phones, durations_units, strict=True):
        at += int(units)
        if phone in STRESS:
            stress = STRESS[phone]
        elif phone in LENGTHENERS:
            spans[-1:] = [Span(s.phone, s.start, at, s.scale) for s in spans[-1:]]
            begin = at
        elif phone in PHONES:
            spans.append(Span(phone, begin, at, stress if phone in VOWELS else 1.0))
            stress = UNSTRESSED if phone in VOWELS else stress
            begin = at
        else:
            raise ValueError(f"no mouth shape for the character {phone!r}")
    return spans


def is_silence(span: Span) -> bool:
    """A pause long enough to relax the mouth."""
    return span.phone in PAUSES and span.end - span.start > SHORT_PAUSE_FRAMES


def split_silent_tails(spans: list[Span], loudness: np.ndarray) -> list[Span]:
    """Spans whose long, silent ends have become pauses; loudness [F] in 0..1.

    The bundled voice's alignment gives the pause after a phrase to its last phone: up to 15 units of a 3-unit sound.
    """
    out: list[Span] = []
    for span in spans:
        heard = np.flatnonzero(loudness[span.start : span.end] > AUDIBLE)
        end = span.start + max(MIN_SOUND_FRAMES, int(heard[-1]) + 1 if len(heard) else 0)
        if span.phone in PAUSES or span.end - end <= SHORT_PAUSE_FRAMES:
            out.append(span)
        else:
            out += [Span(span.phone, span.start, end, span.scale), Span(" ", end, span.end, 1.0)]
    return out


def _targets(spans: list[Span]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blending targets: times [n, 2] in frames, poses [n, 61], dominances [n, 4]. A diphthong gives two."""
    times, poses, holds = [(-8.0, -4.0)], [POSES["rest"].pose], [POSES["rest"].dominance]
    for span in spans:
        if span.phone in PAUSES and not is_silence(span):
            continue
        shapes = PHONES[span.phone]
        edges = np.linspace(span.start, span.end, len(shapes) + 1)
        for shape, start, end in zip(shapes, edges[:-1], edges[1:], strict=True):
            times.append((start, end))
            poses.append(POSES[shape].pose * span.scale)
            holds.append(POSES[shape].dominance)
    return np.array(times, np.float32), np.stack(poses), np.stack(holds)


def blend(spans: list[Span], frames: int) -> np.ndarray:
    """Coarticulated mouth [F, 61] without closures or loudness."""
    times, poses, holds = _targets(spans)
    out = np.zeros((frames, ARKIT61.size), np.float32)
    for part, hold in zip(ARTICULATORS, holds.T, strict=True):
        now = np.arange(frames, dtype=np.float32) + (0.5 - part.late)
        before = np.maximum(times[:, :1] - now, 0) / part.anticipation  # [n, F]
        after = np.maximum(now - times[:, 1:], 0) / part.carry_over
        weight = (np.exp(-((before + after) ** part.power)).astype(np.float32) + 1e-6) * hold[:, None]
        out[:, part.columns] = (weight.T @ poses[:, part.columns]) / weight.sum(0)[:, None]
    return out


def closure_weights(spans: list[Span], frames: int) -> np.ndarray:
    """How closed the lips must be [F] in 0..1: 1 while p, b or m holds, with a ramp of two frames on either side.

    A p or b lets go in its last third; a closure always holds one frame at least.
    """
    weight = np.zeros(frames, np.float32)
    for span in spans:
        if span.phone not in BILABIALS:
            continue
        length = span.end - span.start
        hold = length if span.phone == "m" else length - length // 3
        first = min(span.start, frames - 1)
        last = min(first + max(hold, 1), frames)
        for reach, value in ((2, 0.35), (1, 0.75), (0, 1.0)):
            area = slice(max(first - reach, 0), min(last + reach, frames))
            weight[area] = np.maximum(weight[area], value)
    return weight


def close_lips(motion: np.ndarray, weight: np.ndarray, head: HeadGeometry) -> np.ndarray:
    """Bring the lips together where `weight` [F] says so; motion [F, 61] may already carry affect.

    Openers fade, the jaw rises, the lips press, and mouthClose takes up what is left of the gap on the head's vertices.
    """
    w = weight[:, None]
    out = motion.copy()
    out[:, _OPENERS] *= 1 - w
    jaw, shut = ARKIT61.index("jawOpen"), ARKIT61.index("mouthClose")
    out[:, jaw] *= 1 - 0.7 * weight
    out += w * np.maximum(ARKIT61.pose(_CLOSED) - out, 0) * (ARKIT61.pose(_CLOSED) > 0)
    gaps = head.lip_gaps(out)  # [F, n]
    slopes = head.lip_gaps(ARKIT61.pose({"mouthClose": 1.0})[None]) - head.lip_gaps(np.zeros((1, ARKIT61.size)))
    need = ((gaps - PRESSED_MM) / -slopes).max(1)  # mouthClose that presses the widest pair
    out[:, shut] += weight**2 * np.maximum(need, 0)
    return out
