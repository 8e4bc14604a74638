"""Reads sound files of any kind: mono float PCM out, at the ear's rate or another one.

Decodes with PyAV (FFmpeg inside a wheel): wav of any width, mp3, flac, ogg, m4a and more. Only containers of
plain media are opened, so that a playlist dressed as a sound file cannot reach other files or the network.
Not a recorder, and not for streams: a live microphone already delivers PCM.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from a2llm.clock import EAR_RATE_HZ

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

DEFAULT_LIMIT_S = 120.0
_RATES_HZ = (4_000, 384_000)
_FORMATS = "wav,w64,mp3,flac,ogg,mov,m4a,mp4,matroska,webm,aac,aiff,au,caf,amr"


class AudioInputError(ValueError):
    """The sound file cannot be used; the message is one sentence meant for the user."""


@dataclass(frozen=True)
class AudioClip:
    """Mono sound.

    pcm: float32 [S] in -1..1.
    """

    pcm: np.ndarray
    sample_rate_hz: int
    duration_s: float


def read_audio(path: str | Path, limit_s: float = DEFAULT_LIMIT_S, sample_rate_hz: int = EAR_RATE_HZ) -> AudioClip:
    """Decode a sound file, mix its channels to one and resample it.

    Memory is bounded by limit_s; a longer file is refused from its header where that tells the duration, else after limit_s.
    Raises AudioInputError for a missing, empty, unreadable, silent-of-streams or too long file.
    """
    import av
    from av.error import FFmpegError

    path = Path(path)
    _check_file(path)
    try:
        options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
        with av.open(str(path.resolve()), options=options, metadata_errors="ignore") as container:
            pcm = _decode(container, path.name, limit_s, sample_rate_hz)
    except FFmpegError as error:
        raise AudioInputError(f"{path.name} is not a sound file that can be read, or it is damaged") from error
    return AudioClip(pcm, sample_rate_hz, len(pcm) / sample_rate_hz)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise AudioInputError(f"there is no file {path}")
    if not path.is_file():
        raise AudioInputError(f"{path} is not a file")
    if path.stat().st_size == 0:
        raise AudioInputError(f"{path.name} is empty")


def _decode(container: "InputContainer", name: str, limit_s: float, rate_hz: int) -> np.ndarray:
    """All samples of the first audio stream, float32 [S]."""
    stream = _audio_stream(container, name)
    stated_s = _stated_duration_s(container, stream)
    if stated_s > limit_s:
        raise AudioInputError(_too_long(name, limit_s, f"lasts {stated_s:.0f} s"))
    limit_samples = int(limit_s * rate_hz)
    blocks, total = [], 0
    for block in _resampled(_frames(container, stream), rate_hz):
        blocks.append(block.mean(0))
        total += block.shape[1]
        if total > limit_samples:
            raise AudioInputError(_too_long(name, limit_s, "lasts longer"))
    if not total:
        raise AudioInputError(f"{name} holds no sound: it is cut off or damaged")
    pcm = np.nan_to_num(np.concatenate(blocks), nan=0.0, posinf=1.0, neginf=-1.0)
    return np.clip(pcm, -1.0, 1.0).astype(np.float32)


def _audio_stream(container: "InputContainer", name: str) -> "AudioStream":
    if not container.streams.audio:
        raise AudioInputError(f"{name} has no audio stream")
    stream = container.streams.audio[0]
    low, high = _RATES_HZ
    if not low <= (stream.rate or 0) <= high:
        raise AudioInputError(f"{name} has a sample rate of {stream.rate or 0} Hz; it must be between {low} and {high} Hz")
    return stream


def _stated_duration_s(container: "InputContainer", stream: "AudioStream") -> float:
    """Duration that the header promises, in seconds; 0 where it is silent. A header may lie, so the decoder counts as well."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / 1e6


def _too_long(name: str, limit_s: float, fact: str) -> str:
    return f"{name} is too long: it {fact} and the limit is {limit_s:.0f} s"


def _frames(container: "InputContainer", stream: "AudioStream") -> Iterator["AudioFrame"]:
    """Decoded frames; a defect after good sound ends the clip instead of losing it."""
    from av.error import FFmpegError

    decoded = False
    try:
        for frame in container.decode(stream):
            decoded = True
            yield frame
    except FFmpegError:
        if not decoded:
            raise


def _resampled(frames: Iterable["AudioFrame"], rate_hz: int) -> Iterator[np.ndarray]:
    """Float blocks [channels, S] at rate_hz. Channels are averaged by the caller: FFmpeg's own mono mix is 3 dB too loud."""
    import av

    resampler = None
    for frame in frames:
        resampler = resampler or av.AudioResampler("fltp", frame.layout, rate_hz)
        frame.pts = None
        try:
            outputs = resampler.resample(frame)
        except ValueError as error:
            raise AudioInputError("the sound changes its format midway, which cannot be read") from error
        yield from (output.to_ndarray() for output in outputs)
    if resampler is not None:
        yield from (output.to_ndarray() for output in resampler.resample(None))
