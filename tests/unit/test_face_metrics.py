"""Face metrics on motions whose answer is known, and the affect judge."""

import numpy as np
import pytest
import torch

from a2llm.affect import AFFECTS, Affect
from a2llm.avatar.geometry import HeadGeometry
from a2llm.data.motion_teacher import idle_motion
from a2llm.evaluation import face_metrics as fm
from a2llm.evaluation.affect_classifier import AffectClassifier, masked_affect_report, train_affect_classifier
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
    assert fm.bilabial_closure_pct(motion, "bmp", durations, HEAD) == pytest.approx(100 / 3)
    assert np.isnan(fm.bilabial_closure_pct(motion, "ata", durations, HEAD))


def test_blinks():
    motion = np.zeros((2400, 61), np.float32)
    for at in range(100, 2400, 240):
        motion[at : at + 3, ARKIT61.indices("eyeBlinkLeft", "eyeBlinkRight")] = 0.9
    assert fm.blinks_per_min(motion) == 10


@pytest.mark.parametrize("late", [-3, 0, 4])
def test_lag_has_a_sign_and_a_size(late):
    rng = np.random.default_rng(0)
    loud = np.convolve(rng.random(320), np.ones(5) / 5, mode="same")
    motion = np.zeros((300, 61), np.float32)
    motion[:, ARKIT61.index("jawOpen")] = np.roll(loud, late)[10:310]
    pcm = (np.repeat(loud[10:310], 600) * np.tile([1, -1], 90_000)).astype(np.float32)
    assert fm.audio_motion_lag_ms(pcm, motion, HEAD) == late * 25


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="same shape"):
        fm.lve_mm(_talking(10), _talking(11), HEAD)


def test_the_judge_learns_affect_without_the_mouth():
    clips = [idle_motion(100, Affect(AFFECTS[i % 5], 0.8 if i % 5 else 0.0), seed=i) for i in range(60)]
    labels = [i % 5 for i in range(60)]
    judge = AffectClassifier()
    judge.load_state_dict(train_affect_classifier(clips[:40], labels[:40], 60, torch.Generator().manual_seed(0)))
    hidden = [clip.copy() for clip in clips[40:]]
    for clip in hidden:
        clip[:, ARKIT61.group("mouth")] = 0.7
    report = masked_affect_report(judge, hidden, clips[40:], labels[40:])
    assert report["masked_affect_accuracy_pct"] == report["masked_affect_ceiling_pct"] >= 90
    assert 5 < report["masked_affect_floor_pct"] < 40
