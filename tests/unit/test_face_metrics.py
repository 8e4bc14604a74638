"""Face metrics on motions whose answer is known."""

import numpy as np
import pytest

from a2llm.evaluation import face_metrics as fm
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit
HEAD = HeadGeometry.load()


def _talking(frames: int = 200) -> np.ndarray:
    motion = np.zeros((frames, 61), np.float32)
    motion[:, ARKIT61.index("jawOpen")] = 0.15 + 0.15 * np.sin(np.arange(frames) / 4)
    return motion


def test_a_motion_equals_itself():
    x = _talking()
    assert fm.lve_mm(x, x, HEAD) == fm.mve_mm(x, x, HEAD) == fm.mod_mm(x, x, HEAD) == fm.fdd_mm2(x, x, HEAD) == 0
    assert fm.lip_correlation(x, x, HEAD) == pytest.approx(1)
    assert fm.velocity_ratio(x, x) == 1


def test_a_still_face_is_told_apart():
    x, y = _talking(), np.zeros((200, 61), np.float32)
    assert fm.lve_mm(x, y, HEAD) > fm.mve_mm(x, y, HEAD) > 0
    assert fm.mod_mm(x, y, HEAD) > 3 and fm.lip_correlation(x, y, HEAD) == 0
    assert fm.velocity_ratio(x, y) == 0
    with pytest.raises(ValueError, match="does not move"):
        fm.velocity_ratio(y, x)


def test_upper_face_dynamics_are_signed():
    x = np.zeros((100, 61), np.float32)
    x[:, ARKIT61.index("browInnerUp")] = np.random.default_rng(0).random(100)
    assert fm.fdd_mm2(x, 0.5 * x, HEAD) > 0 > fm.fdd_mm2(0.5 * x, x, HEAD)


def test_closures_are_counted_in_the_phone():
    motion, durations = _talking(12), np.array([4, 4, 4])
    motion[:, ARKIT61.index("jawOpen")] = 0.3
    motion[5, ARKIT61.index("mouthClose")] = 0.3
    assert fm.bilabial_closures(motion, "bmp", durations, HEAD).tolist() == [False, True, False]
    assert not len(fm.bilabial_closures(motion, "ata", durations, HEAD))


def test_blinks():
    motion = np.zeros((2400, 61), np.float32)
    for at in range(100, 2400, 240):
        motion[at : at + 3, ARKIT61.indices("eyeBlinkLeft", "eyeBlinkRight")] = 0.9
    assert fm.count_blinks(motion) == 10


@pytest.mark.parametrize("late", [-3, 0, 4])
def test_lag_has_a_sign_and_a_size(late):
    rng = np.random.default_rng(0)
    loud = np.convolve(rng.random(320), np.ones(5) / 5, mode="same")
    motion = np.zeros((300, 61), np.float32)
    motion[:, ARKIT61.index("jawOpen")] = np.roll(loud, late)[10:310]
    pcm = (np.repeat(loud[10:310], 600) * np.tile([1, -1], 90_000)).astype(np.float32)
    assert fm.curve_lag_ms(fm.lag_curve(fm.loudness(pcm, 300), HEAD.lip_opening(motion))) == late * 25


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="same shape"):
        fm.lve_mm(_talking(10), _talking(11), HEAD)
