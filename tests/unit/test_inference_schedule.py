"""Margins in, decisions out."""

from dataclasses import dataclass

import pytest

from a2serve.inference.schedule import AGAIN, FRESH, LONGEST_WAIT_S, LOOK_AGAIN_S, PATIENCE_S, SAFE_S, USUAL_BEGINNING_S, Progress, Schedule


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


def hurrying(margin_s: float) -> Progress:
    return Progress(10.0, margin_s, hurries=True)


def test_what_nobody_hears_as_it_comes_takes_what_is_left_but_is_not_slower_than_speech():
    assert looked(hurrying(9.0), speaking(2.0)).early_s(hurrying(9.0)) == 0.0
    pressed = looked(hurrying(9.0), speaking(0.2))
    assert pressed.early_s(hurrying(9.0)) == LOOK_AGAIN_S
    assert pressed.early_s(hurrying(-1.0)) < 0


def test_it_presses_nobody():
    schedule = looked(hurrying(-1.0), speaking(2.0))
    assert schedule.levels == 8 and schedule.newcomers > 1 and not schedule.tight


def test_text_is_written_at_once():
    assert looked(TEXT, speaking(2.0)).early_s(TEXT) == 0.0
    assert looked(TEXT, speaking(0.2)).early_s(TEXT) == 0.0


def test_who_has_just_begun_makes_nothing_cheaper():
    schedule = looked(speaking(0.05, made_s=0.5), speaking(2.0))
    assert schedule.levels == 8 and schedule.newcomers > 1


def test_newcomers_get_fewer_with_the_margins_and_where_those_are_small_nobody_begins_and_sound_gets_cheaper():
    schedule, seen = Schedule(Pace(), 8), []
    for margin_s in (2.0, 0.8, SAFE_S + 0.01, SAFE_S - 0.01, SAFE_S + 0.01, AGAIN * SAFE_S):
        schedule.look([speaking(margin_s)])
        seen.append((schedule.levels, schedule.newcomers))
    assert seen == [(8, 6), (8, 5), (8, 3), (4, 0), (4, 3), (8, 5)]


def test_no_more_begin_at_once_than_are_heard_soon():
    """However much there is in hand: the last of them would wait too long."""
    schedule = looked(speaking(4.0))
    assert schedule.newcomers == int(LONGEST_WAIT_S / USUAL_BEGINNING_S)
    for _ in range(round(10 / FRESH)):
        schedule.begun(0.02)
    schedule.look([speaking(4.0)])
    assert schedule.newcomers == pytest.approx(50, abs=1)
    for _ in range(round(10 / FRESH)):
        schedule.begun(3.0)
    schedule.look([speaking(4.0)])
    assert schedule.newcomers == 1


def test_who_has_just_begun_is_still_a_newcomer_until_there_is_a_margin():
    settled = speaking(4.0)
    assert looked(settled, speaking(0.1, made_s=0.2)).newcomers == looked(settled).newcomers - 1
    assert looked(settled, speaking(0.3, made_s=0.5)).newcomers == looked(settled).newcomers


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
    assert schedule.levels == 8 and schedule.newcomers > 1
