"""Writes an answer's motion: as JSON, motion as a Live Link Face CSV. All of them appear whole or not at all.

It converts nothing: what comes in is what is written, rounded as each format says.
"""

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm.files import replacing
from a2llm.rig import ARKIT61, LIVE_LINK_NAMES

DECIMALS = 4  # of a coefficient: 0.0001 is far below what any mesh shows
HIGHEST_FPS = 240


@dataclass(frozen=True)
class MotionFile:
    """Content of answer.motion.json: frames float32 [F, C] at `fps`, column c named names[c]."""

    rig: str
    names: tuple[str, ...]
    fps: float
    frames: np.ndarray


def write_motion_json(
    path: str | Path, motion: np.ndarray, fps: float, rig: str = "arkit61", names: tuple[str, ...] = ARKIT61.names
) -> None:
    """motion [F, C] -> {"rig", "names", "fps", "frames"}, four decimals, one frame per line."""
    frames = _checked(motion, len(names), fps)
    head = json.dumps({"rig": rig, "names": list(names), "fps": fps})[:-1]
    # Adding zero turns -0.0 into 0.0.
    rows = ",\n".join(json.dumps(row) for row in (np.round(frames.astype(np.float64), DECIMALS) + 0.0).tolist())
    with replacing(path) as temporary:
        temporary.write_text(f'{head}, "frames": [\n{rows}\n]}}\n', encoding="utf-8")


def read_motion_json(path: str | Path) -> MotionFile:
    """Read what write_motion_json wrote. Raises ValueError that says what is wrong with the file."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        names = tuple(str(name) for name in document["names"])
        rig, fps = str(document["rig"]), float(document["fps"])
        frames = np.array(document["frames"], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a motion file (rig, names, fps, frames): {error}") from error
    if not frames.size:
        frames = frames.reshape(0, len(names))
    return MotionFile(rig, names, fps, _checked(frames, len(names), fps))


def write_livelink_csv(path: str | Path, motion: np.ndarray, fps: float) -> None:
    """arkit61 motion [F, 61] -> the CSV of Epic's Live Link Face app: Timecode, BlendShapeCount, 61 columns.

    Timecodes count from 00:00:00:00 as HH:MM:SS:FF.mmm, where mmm is the fraction of the frame. Source: files recorded
    by the app, and Epic's page "Recording Facial Animation" (the columns are unchanged since its first release).
    """
    frames = _checked(motion, ARKIT61.size, fps)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Timecode", "BlendShapeCount", *LIVE_LINK_NAMES])
    for number, frame in enumerate(frames):
        values = (f"{value + 0.0:.6f}" for value in frame.tolist())
        writer.writerow([_timecode(number, fps), ARKIT61.size, *values])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")


def _timecode(frame: int, fps: float) -> str:
    """HH:MM:SS:FF.mmm of a frame number; a fractional rate counts its frames within each second."""
    whole_seconds = int(frame / fps + 1e-9)
    inside = max(frame - whole_seconds * fps, 0.0)
    thousandths = min(round(inside * 1000), round(fps * 1000) - 1)
    minutes, seconds = divmod(whole_seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{thousandths // 1000:02d}.{thousandths % 1000:03d}"


def _checked(motion: np.ndarray, width: int, fps: float) -> np.ndarray:
    frames = np.asarray(motion, np.float32)
    if frames.ndim != 2 or frames.shape[1] != width:
        raise ValueError(f"motion must be [F, {width}], not {frames.shape}")
    if not np.isfinite(frames).all():
        raise ValueError("motion holds values that are not finite")
    if not 0 < fps <= HIGHEST_FPS:
        raise ValueError(f"fps must lie in 0..{HIGHEST_FPS}, not {fps}")
    return frames
