"""Measures of a clip: durations that fill the motion, loudness as the teacher's voice has it."""

import numpy as np
import pytest

from a2llm.affect import Affect
from a2llm.evaluation.clips import Clip, energy_db, filled, teacher_motion
from a2llm.evaluation.progress import Steps
from a2llm.evaluation.sync import pair_up

pytestmark = pytest.mark.unit


def test_the_last_phone_takes_the_half_frame_that_is_left():
    assert filled(np.array([2, 3]), 6).tolist() == [2, 4]
    assert filled(np.array([2, 4]), 6).tolist() == [2, 4]
    assert filled(np.zeros(0, int), 0).tolist() == []
    with pytest.raises(ValueError, match="do not fill"):
        filled(np.array([2, 3]), 8)


def test_energy_is_rms_in_db():
    pcm = np.zeros(24_000, np.float32)
    pcm[12_000:] = np.sin(np.arange(12_000) / 5)
    loud = energy_db(pcm, 80)
    assert loud.shape == (80,) and loud[60] == pytest.approx(-3, abs=0.2) and loud[10] < -80


def clip(units: int) -> Clip:
    rng = np.random.default_rng(0)
    pcm = (0.1 * rng.standard_normal(units * 600)).astype(np.float32)
    pitch = np.full(2 * units, 180, np.float32)
    phones, durations = "bˈAb ə", np.array([units // 6] * 5 + [units - 5 * (units // 6)])
    return Clip("?", "babe a", Affect("joy", 0.8), phones, durations, pitch, pcm, np.zeros((units, 61), np.float32), 0.1)


def test_the_teacher_moves_to_the_generated_speech():
    made = clip(60)
    motion = teacher_motion(made, 1)
    assert motion.shape == made.motion.shape and np.array_equal(motion, teacher_motion(made, 1))
    assert not np.array_equal(motion, teacher_motion(made, 2))
    assert made.seconds == 1.5


def test_short_answers_are_left_out():
    steps = Steps(3)
    pairs = pair_up([clip(60), clip(12), clip(72)], steps)
    assert len(pairs) == 2 and steps.done == 3
    with pytest.raises(ValueError, match="long enough"):
        pair_up([clip(12)], Steps(1))
