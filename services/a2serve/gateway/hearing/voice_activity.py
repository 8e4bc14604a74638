"""Probability of speech, on windows of 32 ms; the turn machine decides what it means.

It runs in the gateway, so that a session goes on hearing when a replica is lost.
"""

from functools import lru_cache

from a2llm.clock import EAR_RATE_HZ
from a2llm.pcm16 import from_pcm16
from a2llm.resampling import Resampler
from a2llm.vad_network import WINDOW_SAMPLES, VadNetwork, VadState
from a2serve.contracts.media_clock import BYTES_PER_MS, RATE_HZ

WINDOW_MS = 1000 * WINDOW_SAMPLES // EAR_RATE_HZ
WINDOW_BYTES = BYTES_PER_MS * WINDOW_MS  # of the client's sound


class VoiceActivity:
    """The ears of one session; keeps the network's state between windows."""

    def __init__(self) -> None:
        self._network = _network()
        self.reset()

    def reset(self) -> None:
        """Forgets the sound that was heard before."""
        self._resampler, self._state = Resampler(RATE_HZ, EAR_RATE_HZ), VadState()

    def probability(self, pcm16: bytes) -> float:
        """Probability 0..1 that the next window (32 ms, WINDOW_BYTES of PCM16) holds a voice."""
        return float(self._network.step(self._state, self._resampler.push(from_pcm16(pcm16)))[0])


@lru_cache(maxsize=1)
def _network() -> VadNetwork:
    """One network for all sessions: its state is an argument."""
    return VadNetwork()
