"""Tracks of a face beside its mouth: each in its range, at its rate, and the same for the same seed."""

import numpy as np
import pytest

from a2llm.affect import AFFECTS, Affect
from a2llm.data import expression as face
from a2llm.rig import ARKIT61

MINUTE = int(60 * face.MOTION_HZ)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_wandering_signal_is_slow_and_about_unit_size() -> None:
    path = face.wander(MINUTE, 1.6, rng())
    assert path.shape == (MINUTE,) and 0.4 < path.std() < 1.2
    assert np.abs(np.diff(path)).max() < 0.15, "it never jumps"
    np.testing.assert_array_equal(path, face.wander(MINUTE, 1.6, rng()))


def test_smoothing_keeps_what_is_level_and_the_sum_of_a_peak() -> None:
    np.testing.assert_allclose(face.smooth(np.full(20, 0.7, np.float32), 3.0), 0.7, rtol=1e-5)
    peak = np.zeros(41, np.float32)
    peak[20] = 1.0
    soft = face.smooth(peak, 2.0)
    assert soft.sum() == pytest.approx(1.0, abs=1e-3) and soft.argmax() == 20 and soft.max() < 0.25


def test_bumps_add_up_and_are_cut_at_the_ends() -> None:
    made = face.bumps(40, np.array([10.0, 30.0, 39.0]), np.array([1.0, -0.5, 1.0]), 8)
    assert made.shape == (40,) and made[10] == pytest.approx(0.96, abs=0.05) and made[30] == pytest.approx(-0.48, abs=0.05)
    assert made[20] == 0.0 and made[39] > 0.5


def test_an_envelope_rises_holds_and_falls_to_its_last_level() -> None:
    ramp = face.edge_ramp(100, rise=10, fall=20, last=0.3)
    assert ramp[0] < 0.02 and ramp[50] == pytest.approx(1.0) and ramp[-1] == pytest.approx(0.3, abs=0.02)
    assert (np.diff(ramp[:50]) >= -1e-6).all() and (np.diff(ramp[50:]) <= 1e-6).all()


def test_affect_has_no_strength_when_neutral_and_surprise_fades() -> None:
    assert not face.affect_envelope(Affect(), 100, rng()).any()
    held = {name: face.affect_envelope(Affect(name, 0.8), MINUTE // 10, rng()) for name in AFFECTS[1:]}
    middle = slice(20, -20)
    for name, track in held.items():
        assert (track[middle] > 0).all() and track.max() < 1.5, name
    against_joy = held["surprise"] / held["joy"]  # the same seed: what varies by chance cancels out
    assert against_joy[12] > 1.15 * against_joy[-20], "surprise fades after its onset"
    np.testing.assert_allclose(held["anger"], held["joy"], rtol=1e-6)


@pytest.mark.parametrize("rate", [12.0, 18.0, 30.0])
def test_blinks_come_at_their_rate_and_never_on_top_of_each_other(rate: float) -> None:
    minutes = 20
    track = face.blink_track(minutes * MINUTE, rate, np.ones(minutes * MINUTE), rng())
    starts = np.flatnonzero((track[1:] > 0) & (track[:-1] == 0)) + 1
    assert len(starts) / minutes == pytest.approx(rate, rel=0.15)
    assert np.diff(starts).min() >= face.REFRACTORY_FRAMES
    assert 0.9 <= track.max() <= 1.0


def test_an_urge_moves_blinks_without_adding_any() -> None:
    urge = np.ones(20 * MINUTE)
    urge[::100] = 50.0
    even, drawn = (face.blink_track(len(urge), 18.0, u, rng()) for u in (np.ones_like(urge), urge))
    count = [((t[1:] > 0) & (t[:-1] == 0)).sum() for t in (even, drawn)]
    assert count[1] == pytest.approx(count[0], rel=0.25)
    starts = np.flatnonzero((drawn[1:] > 0) & (drawn[:-1] == 0)) + 1
    assert (starts % 100 == 0).mean() > 0.15


def test_gaze_stays_at_the_listener_and_sadness_looks_down() -> None:
    yaw, pitch = face.gaze_track(MINUTE, face.STYLES["neutral"], 0.0, rng())
    _, low = face.gaze_track(MINUTE, face.STYLES["sadness"], 1.0, rng())
    assert np.abs(yaw).max() <= 0.4 and pitch.min() >= -0.25 and pitch.max() <= 0.35
    assert np.abs(yaw).mean() < 0.1 and low.mean() > pitch.mean() + 0.05


def test_eyes_and_their_blendshapes_agree() -> None:
    motion = np.zeros((3, len(ARKIT61.names)), np.float32)
    face.set_eyes(motion, yaw=np.float32([0.2, -0.2, 0.0]), pitch=np.float32([0.0, 0.1, -0.9]))
    named = {name: motion[:, ARKIT61.index(name)].tolist() for name in ("leftEyeYaw", "eyeLookOutLeft", "eyeLookInLeft", "eyeLookUpRight")}
    assert named["leftEyeYaw"] == pytest.approx([0.2, -0.2, 0.0])
    assert named["eyeLookOutLeft"] == pytest.approx([0.2 / face.GAZE_RANGE_RAD, 0.0, 0.0])
    assert named["eyeLookInLeft"] == pytest.approx([0.0, 0.2 / face.GAZE_RANGE_RAD, 0.0])
    assert named["eyeLookUpRight"] == pytest.approx([0.0, 0.0, 1.0]), "a blendshape ends at 1"
