"""Is somebody speaking? Silero's ONNX network on windows of 32 ms; what it means is decided in `turn.machine`.

In the gateway, so that a session's ears survive a lost replica. numpy and onnxruntime only; the weights come from the
`silero-vad` wheel (MIT), which is found but never imported, because importing it needs torch.
"""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

from a2llm.pcm16 import from_pcm16
from a2llm.resampling import Resampler
from a2serve.contracts.media_clock import BYTES_PER_MS, RATE_HZ

VAD_RATE_HZ = 16_000
WINDOW_SAMPLES = 512  # at 16 kHz: what the network was trained on
CONTEXT_SAMPLES = 64
WINDOW_MS = 1000 * WINDOW_SAMPLES // VAD_RATE_HZ
WINDOW_BYTES = BYTES_PER_MS * WINDOW_MS  # of the client's sound


class VoiceActivity:
    """The ears of one session; keeps the network's state between windows."""

    def __init__(self) -> None:
        self._network = _network()
        self.reset()

    def reset(self) -> None:
        """Forgets the sound that was heard before."""
        self._resampler = Resampler(RATE_HZ, VAD_RATE_HZ)
        self._state = np.zeros((2, 1, 128), np.float32)
        self._context = np.zeros(CONTEXT_SAMPLES, np.float32)

    def probability(self, pcm16: bytes) -> float:
        """Probability 0..1 that the next window (32 ms, WINDOW_BYTES of PCM16 at 24 kHz) holds a voice."""
        window = self._resampler.push(from_pcm16(pcm16))
        heard = np.concatenate([self._context, window])[None]
        self._context = window[-CONTEXT_SAMPLES:]
        feed: dict[str, Any] = {"input": heard, "state": self._state, "sr": np.array(VAD_RATE_HZ, np.int64)}
        output, self._state = self._network.run(None, feed)
        return float(output[0, 0])


@lru_cache(maxsize=1)
def _network() -> Any:
    """One network for all sessions: its state is an argument."""
    runtime: Any = onnxruntime
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return runtime.InferenceSession(str(_weights()), options, providers=["CPUExecutionProvider"])


def _weights() -> Path:
    spec = find_spec("silero_vad")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the silero-vad package is not installed: pip install --no-deps silero-vad==6.2.3")
    return Path(spec.submodule_search_locations[0]) / "data" / "silero_vad.onnx"
