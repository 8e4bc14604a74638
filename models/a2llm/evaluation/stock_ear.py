"""Whisper tiny.en as faster-whisper runs it: padded to 30 s, int8. The product's own ear is `listening.transcriber`."""

from typing import Any

import numpy as np

from a2llm import weights
from a2llm.layers.threads import THREADS


class StockEar:
    """options: of `WhisperModel.transcribe`. Raises WeightsError where the ear is missing."""

    def __init__(self, threads: int = THREADS, **options: Any) -> None:
        from faster_whisper import WhisperModel

        self._model = WhisperModel(str(weights.resolve("ear")), device="cpu", compute_type="int8", cpu_threads=threads)
        self._options = options

    def hear(self, pcm: np.ndarray) -> str:
        """Speech float32 [S] at 16 kHz -> its words; empty for no sound."""
        if not len(pcm):
            return ""
        segments, _ = self._model.transcribe(pcm, language="en", without_timestamps=True, **self._options)
        return " ".join(segment.text.strip() for segment in segments)
