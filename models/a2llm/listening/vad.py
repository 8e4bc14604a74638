"""Voice activity: where in the sound somebody speaks.

Silero VAD v6 (MIT) as the ONNX file that ships in faster-whisper; this wrapper, its state and the segment rule are ours.
One probability per window of 512 samples at 16 kHz (32 ms). Offline is the streaming loop with one big feed.
Not an endpointer: deciding that the turn ended belongs to the session.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from a2llm.layers.onnx_graph import OnnxGraph
from a2llm.listening.audio_input import EAR_RATE_HZ

WINDOW_SAMPLES = 512
_CONTEXT_SAMPLES = 64  # the network also sees the end of the window before
_HIDDEN = 128


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


@dataclass
class VadState:
    """One stream's memory: LSTM state, the last samples seen and samples that do not fill a window yet."""

    hidden: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, _HIDDEN), np.float32))
    cell: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, _HIDDEN), np.float32))
    context: np.ndarray = field(default_factory=lambda: np.zeros(_CONTEXT_SAMPLES, np.float32))
    rest: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))


class SileroVad:
    """The network; shared by all streams, each with its own VadState."""

    def __init__(self, path: Path | None = None) -> None:
        self._graph = OnnxGraph(path or _packaged())

    def step(self, state: VadState, pcm: np.ndarray) -> np.ndarray:
        """Feed any amount of sound, float32 [S]; returns the probabilities [N] of the windows that are now complete."""
        pcm = np.concatenate([state.rest, pcm.astype(np.float32)])
        count = len(pcm) // WINDOW_SAMPLES
        state.rest = pcm[count * WINDOW_SAMPLES :]
        if not count:
            return np.zeros(0, np.float32)
        windows = pcm[: count * WINDOW_SAMPLES].reshape(count, WINDOW_SAMPLES)
        contexts = np.vstack([state.context[None], windows[:-1, -_CONTEXT_SAMPLES:]])
        feed = {"input": np.hstack([contexts, windows]), "h": state.hidden, "c": state.cell}
        speech, state.hidden, state.cell = self._graph.run(feed)
        state.context = windows[-1, -_CONTEXT_SAMPLES:].copy()
        return speech.reshape(-1)

    def probabilities(self, pcm: np.ndarray) -> np.ndarray:
        """Probability of speech per window of a whole clip, [S] -> [ceil(S / 512)]."""
        return self.step(VadState(), np.pad(pcm, (0, -len(pcm) % WINDOW_SAMPLES)))

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


def _packaged() -> Path:
    """The file inside the installed faster-whisper, found without importing that package (which takes a second)."""
    spec = find_spec("faster_whisper")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the voice-activity model is missing: install the package faster-whisper")
    return Path(spec.submodule_search_locations[0]) / "assets" / "silero_vad_v6.onnx"
