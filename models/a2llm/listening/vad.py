"""Voice activity: the segments of a sound in which somebody speaks, by one probability per window (`vad_network`).

It is no endpointer: deciding that the turn ended belongs to the session.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from a2llm.clock import EAR_RATE_HZ
from a2llm.vad_network import WINDOW_SAMPLES, VadNetwork


class NoSpeechError(ValueError):
    """Nobody speaks in the sound; the message is one sentence meant for the user."""


@dataclass(frozen=True)
class Segment:
    """Speech from start_samples up to end_samples (16 kHz)."""

    start_samples: int
    end_samples: int


@dataclass(frozen=True)
class SegmentRule:
    """Hysteresis and shortest lengths that turn probabilities into segments."""

    threshold: float = 0.5
    release: float = 0.35
    min_speech_ms: float = 120.0
    min_pause_ms: float = 200.0
    pad_ms: float = 96.0


class SileroVad(VadNetwork):
    """The network, and the segments that its probabilities make."""

    def speech_segments(self, pcm: np.ndarray, rule: SegmentRule = SegmentRule()) -> list[Segment]:
        """Segments of speech in a whole clip, float32 [S] at 16 kHz; empty for silence and noise."""
        return segments_of(self.probabilities(pcm), len(pcm), rule)


def segments_of(probabilities: Iterable[float], total_samples: int, rule: SegmentRule = SegmentRule()) -> list[Segment]:
    """Windows' probabilities [N] -> padded segments that do not overlap."""
    runs = _merge(_runs(probabilities, rule), _windows(rule.min_pause_ms))
    runs = [(start, end) for start, end in runs if end - start >= _windows(rule.min_speech_ms)]
    pad = int(rule.pad_ms * EAR_RATE_HZ / 1000)
    padded = [(max(0, a * WINDOW_SAMPLES - pad), min(total_samples, b * WINDOW_SAMPLES + pad)) for a, b in runs]
    return [Segment(start, end) for start, end in _merge(padded, 0)]


def _runs(probabilities: Iterable[float], rule: SegmentRule) -> list[tuple[int, int]]:
    """Runs of windows [start, end) that begin above the threshold and last until the release level."""
    runs, start, index = [], None, -1
    for index, speech in enumerate(probabilities):
        if start is None and speech >= rule.threshold:
            start = index
        elif start is not None and speech < rule.release:
            runs.append((start, index))
            start = None
    return runs if start is None else [*runs, (start, index + 1)]


def _merge(spans: list[tuple[int, int]], gap: int) -> list[tuple[int, int]]:
    """Join spans whose distance is below gap, or that overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and (start - merged[-1][1] < gap or start <= merged[-1][1]):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def _windows(ms: float) -> int:
    return max(1, round(ms * EAR_RATE_HZ / 1000 / WINDOW_SAMPLES))
