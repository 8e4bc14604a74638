"""Strokes have their place, their size and a soft course, and stay inside the utterance."""

import numpy as np
import pytest

from a2llm.data.face.moves import CHANNELS, POSES, Move, Stretch, chosen, draw, ease
from a2llm.data.face.place import Place
from a2llm.data.face.statements import affirm

pytestmark = pytest.mark.unit

WHERE = Stretch(start=40, end=100, stresses=(50, 80), frames=160)
SHAPES = ("beat", "hold", "nods", "shakes", "sweep", "step")


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_begins_and_ends_at_rest_softly_and_keeps_its_size(shape: str) -> None:
    track = draw(Move("yaw", shape, 0.1, 0.5), WHERE)
    assert track.shape == (160,) and abs(track[0]) < 1e-3 and abs(track[-1]) < 1e-3
    assert 0.06 < np.abs(track).max() <= 0.115
    assert np.abs(np.diff(track)).max() < 0.04, "no snap"


def test_a_beat_peaks_just_before_the_last_stressed_vowel() -> None:
    track = draw(Move("pitch", "beat", 0.1, 0.4), WHERE)
    assert int(track.argmax()) in (77, 78) and track[40] == 0
    assert int(draw(Move("pitch", "beat", 0.1, 0.4, "start"), WHERE).argmax()) in (37, 38)


def test_a_hold_lasts_to_the_end_of_the_phrase_and_leaves_slowly() -> None:
    track = draw(Move("brows", "hold", 0.5, 0.3, "start"), WHERE)
    assert (track[50:97] > 0.45).all() and 0.05 < track[108] < 0.45 and track[125] == 0


def test_nods_go_down_and_shakes_to_both_sides() -> None:
    nods, shakes = (draw(Move("pitch", shape, 0.1, 0.4, "start", count=3), WHERE) for shape in ("nods", "shakes"))
    assert nods.max() > 2.5 * -nods.min() and shakes.max() < 1.6 * -shakes.min()
    assert ((shakes[1:] > 0) & (shakes[:-1] <= 0)).sum() == 3
    short = draw(Move("yaw", "shakes", 0.1, 0.4, "start", count=6), Stretch(40, 50, (45,), 160))
    assert not short[80:].any(), "a short phrase is not left behind"


def test_a_sweep_crosses_over_and_a_step_turns_at_the_word() -> None:
    sweep, step = (draw(Move("yaw", shape, 0.1), WHERE) for shape in ("sweep", "step"))
    assert sweep[50] < -0.05 and sweep[92] > 0.05
    assert step[60] < -0.08 and step[90] > 0.08


def test_something_of_a_form_always_shows_and_strength_scales_it() -> None:
    rng = np.random.default_rng(0)
    counts = [len(chosen(affirm(Place()), 1.0, rng)) for _ in range(200)]
    assert min(counts) >= 1 and 1 < np.mean(counts) < 2
    sizes = [np.mean([chosen(affirm(Place()), s, np.random.default_rng(i))[0].size for i in range(50)]) for s in (0.5, 1.0)]
    assert sizes[1] == pytest.approx(2 * sizes[0])


def test_channels_are_poses_of_the_rig() -> None:
    assert set(POSES) == set(CHANNELS) and all(pose.any() for pose in POSES.values())
    assert ease(np.array([-1.0, 0.5, 2.0])).tolist() == [0, 0.5, 1]
