"""PCM16: samples in -1..1 as little-endian 16-bit integers, and back. The only place that knows the scale.

The scale is 32768 in both directions, so bytes that were read come out again as they were. Needs numpy alone: the gateway, which
has no torch, uses it too. Its twin in the page is services/web/src/wire/bytes.ts; tests/contract/golden/pcm16.json holds both.
"""

import numpy as np
from numpy.typing import NDArray

SCALE = 32_768


def to_pcm16(samples: NDArray[np.floating]) -> bytes:
    """Samples [S] as bytes [2 * S], rounded to the nearest value (halves up); what lies outside -1..1 is clipped."""
    return np.clip(np.floor(samples * np.float32(SCALE) + np.float32(0.5)), -SCALE, SCALE - 1).astype("<i2").tobytes()


def from_pcm16(pcm16: bytes | bytearray) -> NDArray[np.float32]:
    """Bytes [2 * S] as float32 [S] in -1..1. Raises ValueError for half a sample."""
    if len(pcm16) % 2:
        raise ValueError("pcm16 must be whole 16-bit samples")
    return np.frombuffer(pcm16, "<i2").astype(np.float32) / np.float32(SCALE)
