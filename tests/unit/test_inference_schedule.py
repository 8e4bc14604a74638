"""Margins in, decisions out."""

from dataclasses import dataclass

import pytest

from a2serve.inference.schedule import DRY, LOOK_AGAIN_S, PATIENCE_S, SAFE_S, Progress, Schedule


@dataclass
class Pace:
    lead_s: float = 4.0
    crowded_lead_s: float = 1.0
    fewest_levels: int = 4


def looked(*responses: Progress) -> Schedule:
    schedule = Schedule(Pace(), 8)
    schedule.look(responses)
    return schedule


def speaking(margin_s: float, made_s: float = 10.0) -> Progress:
    return Progress(made_s, margin_s)


WAITING = Progress(0.0, 0.0, 0.1)
TEXT = Progress(0.0, None)


def test_a_response_runs_as_far_ahead_as_nobody_minds():
    assert looked(speaking(2.9)).early_s(speaking(2.9)) < 0
    schedule = looked(speaking(3.5))
    assert schedule.early_s(speaking(3.5)) == pytest.approx(0.5)


def test_who_may_run_goes_along_with_who_has_to():
    """Steps for one cost nearly as much as steps for all."""
    schedule = looked(speaking(2.9), speaking(3.9), speaking(4.1))
    assert [schedule.early_s(speaking(margin)) <= 0 for margin in (2.9, 3.9, 4.1)] == [True, True, False]


def test_it_yields_earlier_while_another_has_not_begun_and_most_while_one_runs_dry():
    crowded, pressed = looked(speaking(2.0), WAITING), looked(speaking(2.0), speaking(0.1))
    assert crowded.early_s(speaking(2.0)) == 1.25 and crowded.early_s(WAITING) <= 0
    assert pressed.early_s(speaking(0.6)) == pytest.approx(0.1) and pressed.early_s(speaking(0.1)) < 0


def test_what_nobody_hears_as_it_comes_takes_what_is_left():
    assert looked(TEXT, speaking(2.0)).early_s(TEXT) == 0.0
    assert looked(TEXT, speaking(0.2)).early_s(TEXT) == LOOK_AGAIN_S


def test_who_has_just_begun_makes_nothing_cheaper():
    schedule = looked(speaking(0.05, made_s=0.5), speaking(2.0))
    assert schedule.levels == 8 and not schedule.overloaded


def test_sound_gets_cheaper_before_anybody_is_refused_and_both_end_with_the_pressure():
    schedule = looked(speaking(SAFE_S - 0.01))
    assert schedule.levels == 4 and not schedule.overloaded
    schedule.look([speaking(DRY * SAFE_S - 0.01)])
    assert schedule.levels == 4 and schedule.overloaded
    schedule.look([speaking(SAFE_S - 0.01)])
    assert schedule.overloaded
    schedule.look([speaking(SAFE_S + 0.01)])
    assert schedule.levels == 4 and not schedule.overloaded
    schedule.look([speaking(2 * SAFE_S)])
    assert schedule.levels == 8


def test_who_has_not_begun_waits_for_those_that_run_dry_but_not_for_ever():
    schedule = looked(speaking(0.0), WAITING)
    assert schedule.early_s(WAITING) == pytest.approx(PATIENCE_S - 0.1)
    assert schedule.early_s(Progress(0.0, 0.0, PATIENCE_S)) <= 0


def test_a_narrow_pace_narrows_the_margins():
    schedule = Schedule(Pace(lead_s=0.4, crowded_lead_s=0.2), 8)
    schedule.look([speaking(0.15)])
    assert schedule.levels == 8
    schedule.look([speaking(0.05)])
    assert schedule.levels == 4


def test_without_responses_there_is_no_pressure():
    schedule = looked(speaking(0.0))
    schedule.look([])
    assert schedule.levels == 8 and not schedule.overloaded
