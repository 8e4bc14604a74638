"""Motion at the client's rate: exact numbers, nothing lost at the end, the same however it is cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2llm.clock import MOTION_RATES_HZ
from a2llm.messages import RigUnavailable
from a2llm.motion_stream import MotionStream, check_target, from_f16, known_before, rigs, to_f16
from a2llm.rig import ARKIT61, FlameMapping

MODEL_HZ = 40


def ramp(frames: int) -> np.ndarray:
    """Frame m has the value m / 100 everywhere: what is read at time t must be 40 t / 100."""
    return np.repeat(np.arange(frames, dtype=np.float32)[:, None] / 100, ARKIT61.size, axis=1)


def run(stream: MotionStream, frames: np.ndarray, cuts: list[int]) -> list[tuple[int, np.ndarray]]:
    edges = [0, *sorted(cuts), len(frames)]
    return [stream.feed(frames[a:b], last=index == len(edges) - 2) for index, (a, b) in enumerate(pairwise(edges))]


@given(hz=st.sampled_from((*MOTION_RATES_HZ, MODEL_HZ)), count=st.integers(1, 60), cuts=st.lists(st.integers(0, 60), max_size=8))
def test_any_cut_gives_the_same_frames_at_the_right_times(hz: int, count: int, cuts: list[int]):
    out = run(MotionStream("arkit61", hz, MODEL_HZ), ramp(count), [min(c, count) for c in cuts])
    at = 0
    for first, frames in out:
        if len(frames):
            assert first == at
            at += len(frames)
    made = np.concatenate([frames for _, frames in out])[:, 0]
    assert len(made) == -(-count * hz // MODEL_HZ)  # every frame that begins before the sound ends
    expected = np.minimum(np.arange(len(made)) * MODEL_HZ / hz, count - 1) / 100
    np.testing.assert_allclose(made, expected, atol=1e-6)


@pytest.mark.parametrize("hz", (*MOTION_RATES_HZ, MODEL_HZ))
def test_the_first_piece_has_motion(hz: int):
    assert len(MotionStream("arkit61", hz, MODEL_HZ).feed(ramp(2))[1]) >= 1


def test_a_frame_is_late_by_less_than_one_model_frame():
    stream, at = MotionStream("arkit61", 60, MODEL_HZ), 0
    for m in range(0, 40, 2):
        first, frames = stream.feed(ramp(40)[m : m + 2])
        at = first + len(frames)
        assert (m + 2) / MODEL_HZ - at / 60 < 1 / MODEL_HZ


@given(hz=st.sampled_from((*MOTION_RATES_HZ, MODEL_HZ)), count=st.integers(1, 60), lost=st.integers(0, 60))
def test_what_goes_on_elsewhere_goes_on_in_the_same_frame(hz: int, count: int, lost: int):
    """The stream may be lost anywhere, and before its end at least one model frame is to come."""
    lost = min(lost, count - 1)
    whole = MotionStream("arkit61", hz, MODEL_HZ)
    whole.feed(ramp(count)[:lost])
    first, frames = whole.feed(ramp(count)[lost:], last=True)
    again = MotionStream("arkit61", hz, MODEL_HZ, delivered=lost)
    first_again, frames_again = again.feed(ramp(count)[lost - known_before(hz, MODEL_HZ, lost) :], last=True)
    assert first == first_again
    np.testing.assert_array_equal(frames, frames_again)


def test_visemes_stay_shares_of_one():
    frames = np.random.default_rng(0).random((9, ARKIT61.size), np.float32)
    _, out = MotionStream("oculus15", 30, MODEL_HZ).feed(frames, last=True)
    assert out.shape == (7, 15)
    np.testing.assert_allclose(out.sum(1), 1, atol=1e-5)


def test_flame_only_with_a_mapping():
    with pytest.raises(RigUnavailable, match="mapping"):
        check_target("flame58", 30, None, MODEL_HZ)
    mapping = FlameMapping(np.ones((61, 58), np.float32), np.zeros(58, np.float32))
    assert MotionStream("flame58", 25, MODEL_HZ, mapping).feed(ramp(3), last=True)[1].shape == (2, 58)
    assert rigs(None) == ["arkit61", "oculus15"]
    assert "flame58" in rigs(mapping)


@pytest.mark.parametrize("own_hz", [24, 40])
def test_a_models_own_rate_is_always_there(own_hz: int):
    check_target("arkit61", own_hz, None, own_hz)
    check_target("arkit61", 30, None, own_hz)
    with pytest.raises(ValueError, match=f"{own_hz}.*not 50"):
        check_target("arkit61", 50, None, own_hz)


@pytest.mark.parametrize(("rig", "hz"), [("arkit61", 24), ("nobody", 30)])
def test_unknown_targets_are_refused(rig: str, hz: int):
    with pytest.raises(ValueError, match=r"24|nobody"):
        check_target(rig, hz, None, MODEL_HZ)


def test_bytes():
    pose = np.array([[0.5, 1.0, -0.25]], np.float32)
    assert to_f16(pose) == b"\x00\x38\x00\x3c\x00\xb4"
    assert from_f16(to_f16(pose), 3).tolist() == pose[0].tolist()
    with pytest.raises(ValueError, match="6 bytes"):
        from_f16(b"1234", 3)
