"""The talking head as an MP4: motion [F, 61] and sound in, H.264 + AAC out, through PyAV.

Time is counted in samples and frames, so sound and picture cannot drift. It decides nothing about the look (render.py).
"""

import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from a2llm.avatar.render import HeadRenderer
from a2llm.clock import FrameClock
from a2llm.files import replacing
from a2llm.rig import ARKIT61
from a2llm.sound_files import read_audio

AUDIO_BIT_RATE = 128_000
LONGEST_S = 4 * 3600.0  # of sound from a file
VIDEO_OPTIONS = {"crf": "18", "preset": "veryfast"}
BT709 = 1  # the number of primaries, transfer and matrix alike in ISO/IEC 23091-2
LIMITED_RANGE = 1

Progress = Callable[[int, int], None]


def render_video(
    motion: np.ndarray,
    fps: float,
    audio: np.ndarray | str | Path,
    out_path: str | Path,
    size: int = 512,
    avatar: str | Path = "woman",
    video_fps: int = 25,
    on_progress: Progress | None = None,
    sample_rate_hz: int = FrameClock.sample_rate_hz,
) -> None:
    """Write the clip to `out_path` (mp4), whole or not at all.

    motion float32 [F, 61]; audio: pcm float32 [S] at sample_rate_hz, or a sound file. The clip is as long as the longer
    of the two: the face keeps its last frame, the sound ends in silence. on_progress(done, total) counts video frames.
    Raises ValueError for other shapes, an odd size, an unreadable sound file or an unknown avatar.
    """
    motion = _checked_motion(motion, fps)
    if size % 2 or size < 16 or video_fps < 1:
        raise ValueError(f"size must be even and at least 16, video_fps at least 1; not {size} and {video_fps}")
    pcm = read_audio(audio, LONGEST_S, sample_rate_hz).pcm if isinstance(audio, str | Path) else np.asarray(audio, np.float32)
    if pcm.ndim != 1:
        raise ValueError(f"sound must be mono [S], not {pcm.shape}")
    renderer = HeadRenderer(avatar, size, size)
    total = frame_count(len(motion), fps, len(pcm), sample_rate_hz, video_fps)
    with replacing(out_path) as temporary, _Clip(temporary, size, video_fps, sample_rate_hz) as clip:
        pcm = np.pad(pcm, (0, max(0, math.ceil(total * sample_rate_hz / video_fps) - len(pcm))))
        for frame in range(total):
            clip.add_picture(renderer.render(motion_at(motion, fps, frame, video_fps)))
            clip.add_sound(pcm[: (frame + 1) * sample_rate_hz // video_fps])
            if on_progress:
                on_progress(frame + 1, total)


def frame_count(motion_frames: int, fps: float, samples: int, sample_rate_hz: int, video_fps: int) -> int:
    """Video frames that cover both the motion and the sound, at least one."""
    seconds = max(Fraction(motion_frames) / Fraction(fps), Fraction(samples, sample_rate_hz))
    return max(1, math.ceil(seconds * video_fps))


def motion_at(motion: np.ndarray, fps: float, frame: int, video_fps: int) -> np.ndarray:
    """The face [C] in the middle of a video frame's time on screen.

    Motion frame f covers f/fps .. (f+1)/fps and is exact in its middle; between two middles the motion is linear.
    """
    place = (frame + 0.5) * fps / video_fps - 0.5
    place = min(max(place, 0.0), len(motion) - 1.0)
    before = int(place)
    after = min(before + 1, len(motion) - 1)
    share = np.float32(place - before)
    return motion[before] * (1 - share) + motion[after] * share


def _checked_motion(motion: np.ndarray, fps: float) -> np.ndarray:
    motion = np.asarray(motion, np.float32)
    if motion.ndim != 2 or motion.shape[1] != ARKIT61.size or not len(motion):
        raise ValueError(f"motion must be [F, {ARKIT61.size}] with at least one frame, not {motion.shape}")
    if not np.isfinite(motion).all() or not fps > 0:
        raise ValueError("motion must be finite and fps positive")
    return motion


class _Clip:
    """An open MP4 with one H.264 and one AAC stream; closing it writes the index."""

    def __init__(self, path: Path, size: int, video_fps: int, sample_rate_hz: int) -> None:
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._video = self._container.add_stream("libx264", rate=video_fps, options=VIDEO_OPTIONS)
        self._video.width = self._video.height = size
        self._video.pix_fmt = "yuv420p"
        context = self._video.codec_context
        context.color_primaries = context.color_trc = context.colorspace = BT709
        context.color_range = LIMITED_RANGE
        self._audio = self._container.add_stream("aac", rate=sample_rate_hz, layout="mono", bit_rate=AUDIO_BIT_RATE)
        self._picture_time, self._sound_time = Fraction(1, video_fps), Fraction(1, sample_rate_hz)
        self._pictures = self._samples = 0

    def __enter__(self) -> "_Clip":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._container.mux(self._video.encode(None))
            self._container.mux(self._audio.encode(None))
        self._container.close()

    def add_picture(self, picture: np.ndarray) -> None:
        """picture uint8 [H, W, 3], the next video frame."""
        frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
        frame.pts, frame.time_base = self._pictures, self._picture_time
        self._pictures += 1
        self._container.mux(self._video.encode(frame))

    def add_sound(self, pcm: np.ndarray) -> None:
        """pcm [S]: all sound up to now; what was added before is skipped."""
        new = np.ascontiguousarray(pcm[self._samples :], np.float32)
        if not len(new):
            return
        frame = av.AudioFrame.from_ndarray(new[None], format="fltp", layout="mono")
        frame.sample_rate = int(1 / self._sound_time)
        frame.pts, frame.time_base = self._samples, self._sound_time
        self._samples += len(new)
        self._container.mux(self._audio.encode(frame))
