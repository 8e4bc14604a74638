"""PCM16 and samples: one scale, nothing lost, and the same values as in the page (services/web/tests/contract/pcm16.test.ts)."""

import json
from pathlib import Path

import numpy as np
import pytest

from a2llm.pcm16 import from_pcm16, to_pcm16

GOLDEN = json.loads((Path(__file__).parents[1] / "contract" / "golden" / "pcm16.json").read_text())


def test_every_value_comes_back_as_it_was():
    values = np.arange(-32768, 32768).astype("<i2").tobytes()
    assert to_pcm16(from_pcm16(values)) == values


def test_golden_values_are_written():
    assert np.frombuffer(to_pcm16(np.array(GOLDEN["samples"], np.float32)), "<i2").tolist() == GOLDEN["pcm16"]


def test_golden_values_are_read():
    read = from_pcm16(np.array(GOLDEN["pcm16"], "<i2").tobytes())
    assert read.dtype == np.float32 and read.tolist() == GOLDEN["read"]


def test_half_a_sample_is_refused():
    with pytest.raises(ValueError, match="whole 16-bit samples"):
        from_pcm16(b"abc")
