"""Gaze has the statistics of people who speak, and stays where it is held."""

import numpy as np
import pytest

from a2llm.data.expression import MOTION_HZ
from a2llm.data.face.looks import AWAY_S, FREE_AWAY, away_share, looks, saccadic

pytestmark = pytest.mark.unit
MINUTES = int(20 * 60 * MOTION_HZ)


def test_people_look_away_as_often_and_as_long_as_they_do() -> None:
    yaw, pitch = looks(MINUTES, np.zeros(MINUTES), False, np.random.default_rng(0))
    away = np.hypot(yaw, pitch) > np.radians(6)
    assert away_share(yaw, pitch) == pytest.approx(FREE_AWAY, abs=0.06)
    edges = np.flatnonzero(np.diff(away.astype(int)))
    runs = np.diff(edges)[(0 if away[edges[0] + 1] else 1) :: 2] / MOTION_HZ
    assert np.median(runs) == pytest.approx(AWAY_S[0], abs=0.12)
    up, down = (pitch[away] < -np.abs(yaw[away])).mean(), (pitch[away] > np.abs(yaw[away])).mean()
    assert up > 1.5 * down and up + down < 0.5, "mostly to the sides, up more than down"


def test_held_eyes_stay_on_the_listener() -> None:
    held = np.zeros(4000)
    held[1000:3000] = 1
    yaw, pitch = looks(4000, held, True, np.random.default_rng(1))
    assert away_share(yaw[1000:3000], pitch[1000:3000]) == 0 < away_share(yaw[:1000], pitch[:1000])
    assert np.hypot(yaw[0], pitch[0]) > 0.1, "starts away"


def test_a_saccade_takes_two_or_three_frames() -> None:
    soft = saccadic(np.repeat([0.0, 0.2], 10))
    assert len(soft) == 20 and (np.diff(soft) > 1e-6).sum() in (2, 3)
