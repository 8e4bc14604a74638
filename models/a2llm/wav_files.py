"""Writes sound files: mono WAV of 16 bits, whole or not at all. Reading sound of any kind is `sound_files`."""

import wave
from pathlib import Path

import numpy as np

from a2llm.clock import FrameClock
from a2llm.files import replacing
from a2llm.pcm16 import to_pcm16

SAMPLE_RATE_HZ = FrameClock().sample_rate_hz


def write_wav(path: str | Path, pcm: np.ndarray, sample_rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """pcm float32 [S] in -1..1 (clipped) -> mono PCM16. Raises ValueError for another shape or non-finite samples."""
    samples = np.asarray(pcm, np.float32)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        raise ValueError(f"a WAV takes finite mono samples [S], not an array of shape {samples.shape}")
    data = to_pcm16(samples)
    with replacing(path) as temporary, wave.open(str(temporary), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate_hz)
        file.writeframes(data)
