"""Numbers for face motion: distances to a true motion, and properties a living, synchronous face must have.

x is the truth, y the prediction, both arkit61 [F, 61] at 40 Hz; millimetres on the default head's vertices without
head rotation. Definitions: design notes of the model, after VOCA (LVE), CodeTalker (FDD) and MIBURI (velocity ratio).
Whatever needs a trained network is elsewhere.
"""

import numpy as np

from a2llm.clock import FrameClock
from a2llm.data.articulation import phone_spans
from a2llm.data.visemes import BILABIALS
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

CLOSED_MM = 1.0  # lips that are nearer than this look shut
BLINK_LEVEL = 0.5
MAX_LAG_FRAMES = 12


def _distances(x: np.ndarray, y: np.ndarray, head: HeadGeometry, region: str) -> np.ndarray:
    """Vertex distances [F, v] in mm. Only the difference matters, so the neutral face drops out."""
    _same(x, y)
    deltas = head.basis(region)[1]
    return np.linalg.norm(np.tensordot((x - y).astype(np.float32), deltas, axes=1), axis=-1)


def _same(x: np.ndarray, y: np.ndarray) -> None:
    if x.shape != y.shape or x.ndim != 2 or x.shape[1] != ARKIT61.size or not len(x):
        raise ValueError(f"two motions of the same shape [F, {ARKIT61.size}] are needed, not {x.shape} and {y.shape}")


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two tracks; 0 when either is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-9 else 0.0


def lve_mm(x: np.ndarray, y: np.ndarray, head: HeadGeometry) -> float:
    """Lip vertex error of two motions [F, 61]: mean over frames of the largest lip-vertex distance."""
    return float(_distances(x, y, head, "lips").max(1).mean())


def mve_mm(x: np.ndarray, y: np.ndarray, head: HeadGeometry) -> float:
    """Mean vertex error of two motions [F, 61], over face and frames."""
    return float(_distances(x, y, head, "face").mean())


def fdd_mm2(x: np.ndarray, y: np.ndarray, head: HeadGeometry) -> float:
    """Upper-face dynamics deviation of two motions [F, 61], signed: above zero where the prediction moves less than the truth."""
    _same(x, y)
    deltas = head.basis("upper_face")[1]
    spread = [np.square(np.tensordot(m.astype(np.float32), deltas, axes=1)).sum(-1).std(0) for m in (x, y)]
    return float((spread[0] - spread[1]).mean())


def mod_mm(x: np.ndarray, y: np.ndarray, head: HeadGeometry) -> float:
    """Mouth opening difference of two motions [F, 61]: mean over frames of the difference of the inner-lip gaps."""
    return float(np.abs(head.lip_opening(x) - head.lip_opening(y)).mean())


def lip_correlation(x: np.ndarray, y: np.ndarray, head: HeadGeometry) -> float:
    """Pearson correlation over time of the lip opening of two motions [F, 61]."""
    return _pearson(head.lip_opening(x), head.lip_opening(y))


def lip_width_correlation(x: np.ndarray, y: np.ndarray, head: HeadGeometry) -> float:
    """Pearson correlation over time of the lip width of two motions [F, 61]."""
    return _pearson(head.lip_width(x), head.lip_width(y))


def velocity_ratio(x: np.ndarray, y: np.ndarray) -> float:
    """Liveliness of motion [F, 61]: mean |diff y| / mean |diff x| over all coefficients; 1 is as lively as the truth.

    The motions need not be of one length. Raises ValueError for a truth that does not move.
    """
    truth = float(np.abs(np.diff(x, axis=0)).mean()) if len(x) > 1 else 0.0
    if truth <= 0:
        raise ValueError("the true motion does not move")
    return float(np.abs(np.diff(y, axis=0)).mean()) / truth


def bilabial_closures(motion: np.ndarray, phones: str, durations_units: np.ndarray, head: HeadGeometry) -> np.ndarray:
    """Whether the lips meet (every inner-lip pair nearer than CLOSED_MM) on each p, b, m: bool [n].

    Phones are characters with durations in 25 ms units, one motion frame each. One frame inside the phone is enough.
    """
    gap = head.lip_opening(motion)
    spans = [s for s in phone_spans(phones, durations_units) if s.phone in BILABIALS and s.start < len(gap)]
    return np.array([gap[s.start : max(s.end, s.start + 1)].min() < CLOSED_MM for s in spans], bool)


def count_blinks(motion: np.ndarray) -> int:
    """Times both lids together rise through half closure in motion [F, 61]."""
    lids = motion[:, ARKIT61.indices("eyeBlinkLeft", "eyeBlinkRight")].mean(1)
    return int(((lids[1:] > BLINK_LEVEL) & (lids[:-1] <= BLINK_LEVEL)).sum())


def loudness(pcm: np.ndarray, frames: int, clock: FrameClock | None = None) -> np.ndarray:
    """RMS per motion frame [frames] of mono pcm [S]; silence after its end."""
    hop = (clock or FrameClock()).samples_per_motion_frame
    padded = np.zeros(frames * hop, np.float32)
    padded[: min(len(pcm), len(padded))] = pcm[: len(padded)]
    return np.sqrt(np.square(padded.reshape(frames, hop)).mean(1))


def lag_curve(rms: np.ndarray, opening: np.ndarray) -> np.ndarray:
    """Correlation of loudness [F] with the lip opening shifted by -12..12 frames [25]; average it over clips. Raises ValueError for a clip
    that is too short."""
    span = range(-MAX_LAG_FRAMES, MAX_LAG_FRAMES + 1)
    if len(rms) <= 2 * MAX_LAG_FRAMES:
        raise ValueError(f"a clip of {len(rms)} frames is too short for a lag of {MAX_LAG_FRAMES}")
    n = len(rms)
    return np.array([_pearson(rms[max(0, -k) : n - max(0, k)], opening[max(0, k) : n - max(0, -k)]) for k in span])


def curve_lag_ms(curve: np.ndarray, clock: FrameClock | None = None) -> float:
    """Place of the maximum of a curve [25] of `lag_curve`, in ms."""
    return (int(np.argmax(curve)) - MAX_LAG_FRAMES) * 1000.0 / (clock or FrameClock()).motion_hz
