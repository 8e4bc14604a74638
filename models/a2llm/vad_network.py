"""Silero's voice activity network on windows of 32 ms, for one stream of sound or many. Needs no torch: the gateway uses it too.

Silero VAD (MIT) as a sequence graph: any number of windows in one run. What its probabilities mean is decided elsewhere: segments
in `listening.vad`, turns in the gateway.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from a2llm import weights
from a2llm.layers.onnx_graph import OnnxGraph

WINDOW_SAMPLES = 512  # at EAR_RATE_HZ: 32 ms, what the network was trained on
_CONTEXT_SAMPLES = 64  # the network also sees the end of the window before
_HIDDEN = 128


@dataclass
class VadState:
    """Memory of one stream: LSTM state, the last samples seen and samples that do not fill a window yet."""

    hidden: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, _HIDDEN), np.float32))
    cell: np.ndarray = field(default_factory=lambda: np.zeros((1, 1, _HIDDEN), np.float32))
    context: np.ndarray = field(default_factory=lambda: np.zeros(_CONTEXT_SAMPLES, np.float32))
    rest: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))


class VadNetwork:
    """The network, shared by all streams, each of which has a VadState. Raises WeightsError where the file is missing."""

    def __init__(self, path: Path | None = None) -> None:
        self._graph = OnnxGraph(path or weights.resolve("vad"))

    def step(self, state: VadState, pcm: np.ndarray) -> np.ndarray:
        """Feed any amount of sound, float32 [S] at EAR_RATE_HZ; returns the probabilities [N] of the windows that are now complete."""
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
