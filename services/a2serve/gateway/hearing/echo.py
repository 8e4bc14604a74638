"""Detects our own voice in the microphone, by normalised cross-correlation with what was played.

A last resort: browsers cancel echo themselves. Speech that correlates with our output is not the user's. Not an echo
canceller: the audio that goes on to the model is left as it is.
"""

import numpy as np

from a2llm.pcm16 import from_pcm16
from a2llm.resampling import Resampler, Signal
from a2serve.contracts.media_clock import RATE_HZ
from a2serve.gateway.hearing.audio_formats import PHONE_RATE_HZ

PROBE_MS = 400
REFERENCE_MS = 2_500  # delay of network, jitter buffer and sound card that is still recognised
# With pre-emphasis, a reverberant echo measures 0.84 (median), other speech of the same voice 0.28 (95%), 0.56 at most;
# without it, pitch alone makes two stretches of one voice alike (0.69).
THRESHOLD = 0.45
FLOOR = 1e-6  # mean square, after pre-emphasis, below which there is nothing to compare


class EchoGate:
    """Remembers the last seconds of both directions of one session."""

    def __init__(self) -> None:
        self._to_probe, self._to_reference = Resampler(RATE_HZ, PHONE_RATE_HZ), Resampler(RATE_HZ, PHONE_RATE_HZ)
        self._probe = np.zeros(PHONE_RATE_HZ * PROBE_MS // 1000, np.float32)
        self._reference = np.zeros(PHONE_RATE_HZ * REFERENCE_MS // 1000, np.float32)

    def played(self, pcm16: bytes) -> None:
        """Our output, in the order it is played (24 kHz PCM16)."""
        self._reference = _append(self._reference, self._to_reference.push(from_pcm16(pcm16)))

    def recorded(self, pcm16: bytes) -> None:
        """The microphone (24 kHz PCM16)."""
        self._probe = _append(self._probe, self._to_probe.push(from_pcm16(pcm16)))

    def similarity(self) -> float:
        """0..1: the best normalised correlation of the last PROBE_MS of microphone with any stretch of the output."""
        probe, reference = np.diff(self._probe), np.diff(self._reference)
        energy = float(probe @ probe)
        if energy < FLOOR * len(probe):
            return 0.0
        size = 1 << (len(reference) + len(probe) - 1).bit_length()
        spectrum = np.fft.rfft(reference, size) * np.conj(np.fft.rfft(probe, size))
        products = np.fft.irfft(spectrum, size)[: len(reference) - len(probe) + 1]
        squares = np.concatenate([[0.0], np.cumsum(reference.astype(np.float64) ** 2)])
        local = squares[len(probe) :] - squares[: -len(probe)]
        return float(np.max(np.abs(products) / np.sqrt(np.maximum(local, FLOOR * len(probe)) * energy)))

    @property
    def is_echo(self) -> bool:
        """True if the microphone hears our own output now."""
        return self.similarity() > THRESHOLD


def _append(history: Signal, news: Signal) -> Signal:
    return np.concatenate([history, news])[-len(history) :]
