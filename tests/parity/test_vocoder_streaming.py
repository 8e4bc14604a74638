"""The vocoder fed in any portions equals one call, sample for sample, with a fixed delay."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.models import tiny

from a2llm.audio_codec.vocoder import LATENCY_FRAMES

FRAMES = 41
_rng = np.random.default_rng(0)
HIDDEN = _rng.normal(size=(FRAMES, tiny.CODEC.width)).astype(np.float32)
F0 = np.where(_rng.random(FRAMES) < 0.3, 0.0, _rng.uniform(90, 300, FRAMES)).astype(np.float32)


def whole() -> np.ndarray:
    return tiny.vocoder().decode(tiny.vocoder().start(5), HIDDEN, F0, last=True)


def stream(cuts: list[int], last_alone: bool = False) -> list[np.ndarray]:
    state, spans = tiny.vocoder().start(5), pairwise([0, *cuts, FRAMES])
    made = [tiny.vocoder().decode(state, HIDDEN[a:b], F0[a:b], last=b == FRAMES and not last_alone) for a, b in spans]
    return [*made, tiny.vocoder().decode(state, HIDDEN[:0], F0[:0], last=True)] if last_alone else made


@pytest.mark.parametrize("portion", [1, 2, 3, 4, 7, 40])
@pytest.mark.parametrize("last_alone", [False, True])
def test_equal_portions(portion: int, last_alone: bool):
    made = np.concatenate(stream(list(range(portion, FRAMES, portion)), last_alone))
    assert np.allclose(made, whole(), atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, FRAMES), max_size=8).map(sorted))
def test_any_portions(cuts: list[int]):
    made = np.concatenate(stream([c for c in cuts if c < FRAMES]))
    assert np.allclose(made, whole(), atol=1e-5)


def test_samples_leave_after_the_latency():
    made = stream(list(range(1, FRAMES)))
    out = np.cumsum([len(m) for m in made[:-1]]) / tiny.vocoder().hop
    assert np.array_equal(out, np.maximum(np.arange(1, FRAMES) - LATENCY_FRAMES, 0))
    assert sum(map(len, made)) == FRAMES * tiny.vocoder().hop
