"""The idle face: alive, smooth, in range, and the same whenever it is asked for."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from a2llm.affect import Affect
from a2llm.clock import FrameClock
from a2llm.idle_face import MANNERS, idle_face, return_to_neutral
from a2llm.rig import ARKIT61, FLAME58, OCULUS15

MINUTE = 60 * FrameClock.motion_hz
GOLDEN = json.loads((Path(__file__).parents[1] / "contract" / "golden" / "idle_face.json").read_text())
MOST_STEP = 0.45  # a closing lid, per 25 ms
HEAD = ARKIT61.group("head")
LID = ARKIT61.index("eyeBlinkLeft")


def steps(motion: np.ndarray) -> float:
    return float(np.abs(np.diff(motion, axis=0)).max())


@pytest.mark.parametrize("state", MANNERS)
@pytest.mark.parametrize("seed", [0, 1, 2**63])
def test_a_minute_is_smooth_and_in_range(state: str, seed: int):
    motion = idle_face(state, 0, MINUTE, seed, nod_frames=[100, 400], affect=Affect("joy", 1.0))
    shapes = motion[:, ARKIT61.group("blendshapes")]
    assert motion.shape == (MINUTE, 61)
    assert motion.dtype == np.float32
    assert shapes.min() >= 0
    assert shapes.max() <= 1
    assert np.abs(motion[:, ARKIT61.group("rotations")]).max() < 0.4
    assert steps(motion) < MOST_STEP
    assert steps(motion[:, HEAD]) < 0.02


@pytest.mark.parametrize("state", MANNERS)
@pytest.mark.parametrize("seed", range(6))
def test_ten_to_twenty_blinks_a_minute(state: str, seed: int):
    shut = idle_face(state, 0, 3 * MINUTE, seed)[:, LID] > 0.5
    blinks = np.flatnonzero(shut[1:] & ~shut[:-1])
    assert 10 <= len(blinks) / 3 <= 20
    assert idle_face(state, 0, 3 * MINUTE, seed)[:, LID].max() > 0.9


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(MANNERS)), st.integers(0, 5000), st.integers(0, 60), st.integers(0, 2**64 - 1), st.integers(1, 60))
def test_any_frame_equals_the_whole(state: str, first: int, frames: int, seed: int, piece: int):
    nods = [first + 3, first - 10] if first > 10 else [first]
    whole = idle_face(state, first, frames, seed, nod_frames=nods)
    pieces = [idle_face(state, first + at, min(piece, frames - at), seed, nod_frames=nods) for at in range(0, frames, piece)]
    assert np.array_equal(np.concatenate([np.zeros((0, 61), np.float32), *pieces]), whole)


def test_other_rates_sample_the_same_motion():
    native, half = idle_face("listening", 0, 400, 3), idle_face("listening", 0, 200, 3, rate_hz=20)
    assert np.allclose(native[::2], half, atol=1e-6)
    assert idle_face("idle", 0, 300, 3, rate_hz=60).shape == (300, 61)


def test_seeds_and_states_differ_and_nothing_stands_still():
    one = idle_face("listening", 0, 200, 1)
    assert not np.allclose(one, idle_face("listening", 0, 200, 2))
    brow = ARKIT61.index("browInnerUp")
    assert one[:, brow].mean() > idle_face("idle", 0, 200, 1)[:, brow].mean() + 0.05
    assert (np.abs(np.diff(one[:, HEAD], axis=0)).max(axis=1) > 0).all()


def test_thinking_looks_up_and_away():
    pitch = ARKIT61.index("leftEyePitch")
    assert idle_face("thinking", 0, MINUTE, 5)[:, pitch].mean() < idle_face("listening", 0, MINUTE, 5)[:, pitch].mean() - 0.05


def test_a_nod_goes_down_and_comes_back():
    still, nodding = idle_face("listening", 0, 80, 1), idle_face("listening", 0, 80, 1, nod_frames=[20])
    extra = nodding[:, ARKIT61.index("headPitch")] - still[:, ARKIT61.index("headPitch")]
    assert np.abs(extra[:21]).max() < 1e-6
    assert np.abs(extra[52:]).max() < 1e-6
    assert 0.07 < extra.max() < 0.09


def test_it_takes_over_from_the_pose_that_was_shown():
    start = np.full(61, 0.6, np.float32)
    motion = idle_face("idle", 1000, 40, 1, start=start)
    assert steps(np.concatenate([start[None], motion])[:, ARKIT61.group("mouth")]) < 0.12
    assert np.allclose(motion[12:], idle_face("idle", 1000, 40, 1)[12:], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("asleep", 0, 1, 0), "unknown state"),
        (("idle", -1, 1, 0), "negative"),
        (("idle", 0, -1, 0), "negative"),
        (("idle", 0, 1, 0, 0), "rate"),
    ],
)
def test_bad_questions(arguments: tuple, message: str):
    with pytest.raises(ValueError, match=message):
        idle_face(*arguments)
    with pytest.raises(ValueError, match="start from"):
        idle_face("idle", 0, 1, 0, start=np.zeros(4))


@pytest.mark.parametrize("frames", [8, 10, 12])
def test_the_mouth_closes_first(frames: int):
    start = ARKIT61.pose({"jawOpen": 0.6, "mouthFunnel": 0.5, "browInnerUp": 0.8, "headYaw": 0.2})
    tail = return_to_neutral(start, frames)
    mouth = tail[:, ARKIT61.group("mouth")]
    assert tail.shape == (frames, 61)
    assert np.abs(mouth[(frames + 1) // 2 :]).max() == 0
    assert tail[frames // 2, ARKIT61.index("browInnerUp")] > 0.1
    assert np.abs(tail[-1]).max() < 1e-6
    path = np.concatenate([start[None], tail])
    assert steps(path) < 0.25
    assert (np.diff(path, axis=0) <= 1e-6).all()


def test_other_rigs_rest_too():
    speaking = OCULUS15.pose({"aa": 0.7, "sil": 0.3})
    tail = return_to_neutral(speaking, 10, OCULUS15)
    assert np.allclose(tail.sum(axis=1), 1, atol=1e-6)
    assert tail[-1, OCULUS15.index("sil")] == pytest.approx(1)
    assert np.abs(return_to_neutral(np.ones(58, np.float32), 10, FLAME58)[-1]).max() < 1e-6
    with pytest.raises(ValueError, match="61 values"):
        return_to_neutral(speaking)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: f"{case['state']}-{case['seed']}-{case['ms']}")
def test_golden_poses_are_the_pages_too(case: dict):
    """services/web/tests/contract/idle_face.test.ts has the same ones."""
    made = idle_face(case["state"], case["ms"], 1, case["seed"], rate_hz=1000)[0]
    np.testing.assert_allclose(made, ARKIT61.pose(case["pose"]), atol=2e-6)
