"""Leads in, decisions out."""

import pytest

from a2serve.inference.pace import AGAIN, FRESH, LONGEST_WAIT_S, LOOK_AGAIN_S, PATIENCE_S, SAFE_S, USUAL_START_S, Pace, Pacer, Progress


def looked(*responses: Progress) -> Pacer:
    pacer = Pacer(Pace(), 8)
    pacer.look(responses)
    return pacer


def speaking(lead_s: float, made_s: float = 10.0) -> Progress:
    return Progress(made_s, lead_s)


WAITING = Progress(0.0, 0.0, 0.1)
TEXT = Progress(0.0, None)


def test_a_response_runs_as_far_ahead_as_nobody_minds():
    assert looked(speaking(2.9)).pause_s(speaking(2.9)) < 0
    pacer = looked(speaking(3.5))
    assert pacer.pause_s(speaking(3.5)) == pytest.approx(0.5)


def test_who_may_run_goes_along_with_who_has_to():
    """Steps for one cost nearly as much as steps for all."""
    pacer = looked(speaking(2.9), speaking(3.9), speaking(4.1))
    assert [pacer.pause_s(speaking(lead)) <= 0 for lead in (2.9, 3.9, 4.1)] == [True, True, False]


def test_it_pauses_earlier_while_another_has_not_begun_and_most_while_one_is_near_an_underrun():
    crowded, pressed = looked(speaking(2.0), WAITING), looked(speaking(2.0), speaking(0.1))
    assert crowded.pause_s(speaking(2.0)) == 1.25 and crowded.pause_s(WAITING) <= 0
    assert pressed.pause_s(speaking(0.6)) == pytest.approx(0.1) and pressed.pause_s(speaking(0.1)) < 0


def burst(lead_s: float) -> Progress:
    return Progress(10.0, lead_s, burst=True)


def test_what_nobody_hears_as_it_comes_takes_what_is_left_but_is_not_slower_than_speech():
    assert looked(burst(9.0), speaking(2.0)).pause_s(burst(9.0)) == 0.0
    pressed = looked(burst(9.0), speaking(0.2))
    assert pressed.pause_s(burst(9.0)) == LOOK_AGAIN_S
    assert pressed.pause_s(burst(-1.0)) < 0


def test_it_presses_nobody():
    pacer = looked(burst(-1.0), speaking(2.0))
    assert pacer.audio_levels == 8 and pacer.waiting_limit > 1 and not pacer.near_underrun


def test_text_is_written_at_once():
    assert looked(TEXT, speaking(2.0)).pause_s(TEXT) == 0.0
    assert looked(TEXT, speaking(0.2)).pause_s(TEXT) == 0.0


def test_who_has_just_begun_makes_nothing_cheaper():
    pacer = looked(speaking(0.05, made_s=0.5), speaking(2.0))
    assert pacer.audio_levels == 8 and pacer.waiting_limit > 1


def test_fewer_begin_with_smaller_leads_and_where_those_are_small_nobody_does_and_sound_gets_cheaper():
    pacer, seen = Pacer(Pace(), 8), []
    for lead_s in (2.0, 0.8, SAFE_S + 0.01, SAFE_S - 0.01, SAFE_S + 0.01, AGAIN * SAFE_S):
        pacer.look([speaking(lead_s)])
        seen.append((pacer.audio_levels, pacer.waiting_limit))
    assert seen == [(8, 6), (8, 5), (8, 3), (4, 0), (4, 3), (8, 5)]


def test_no_more_begin_at_once_than_are_heard_soon():
    """However much there is in hand: the last of them would wait too long."""
    pacer = looked(speaking(4.0))
    assert pacer.waiting_limit == int(LONGEST_WAIT_S / USUAL_START_S)
    for _ in range(round(10 / FRESH)):
        pacer.note_first_sound(0.02)
    pacer.look([speaking(4.0)])
    assert pacer.waiting_limit == pytest.approx(50, abs=1)
    for _ in range(round(10 / FRESH)):
        pacer.note_first_sound(3.0)
    pacer.look([speaking(4.0)])
    assert pacer.waiting_limit == 1


def test_who_has_just_begun_counts_as_waiting_until_there_is_a_lead():
    settled = speaking(4.0)
    assert looked(settled, speaking(0.1, made_s=0.2)).waiting_limit == looked(settled).waiting_limit - 1
    assert looked(settled, speaking(0.3, made_s=0.5)).waiting_limit == looked(settled).waiting_limit


def test_who_has_not_begun_waits_for_those_near_an_underrun_but_not_for_ever():
    pacer = looked(speaking(0.0), WAITING)
    assert pacer.pause_s(WAITING) == pytest.approx(PATIENCE_S - 0.1)
    assert pacer.pause_s(Progress(0.0, 0.0, PATIENCE_S)) <= 0


def test_a_narrow_pace_narrows_the_leads():
    pacer = Pacer(Pace(lead_s=0.4, crowded_lead_s=0.2), 8)
    pacer.look([speaking(0.15)])
    assert pacer.audio_levels == 8
    pacer.look([speaking(0.05)])
    assert pacer.audio_levels == 4


def test_without_responses_there_is_no_pressure():
    pacer = looked(speaking(0.0))
    pacer.look([])
    assert pacer.audio_levels == 8 and pacer.waiting_limit > 1
