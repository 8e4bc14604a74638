"""How a score is said: each cue moves what it should, nothing else moves, and expressiveness 0 is the plain voice."""

import numpy as np
import pytest

from a2llm.affect import AFFECTS, Affect
from a2llm.data.annotation import FUNCTIONS, parse_response
from a2llm.data.prosody import Delivery, Timeline, deliver, pause_before, shape_durations, shape_gain, shape_pitch
from a2llm.data.score import Score, ScorePhrase
from a2llm.data.tunes import AFFECT_TUNES, FUNCTION_TUNES

pytestmark = pytest.mark.unit

PHONES = "wˈi sˈɔ ðə mˈæn tədˈA."  # we saw the man today
WORDS = np.cumsum([phone == " " for phone in PHONES])
UNITS = np.where(np.array(list(PHONES)) == " ", 2, 4)
TIME = Timeline.of(UNITS, PHONES, WORDS)
F0 = (200 + 20 * np.sin(np.arange(TIME.frames) / 9)).astype(np.float32)
F0[-8:] = 0.0


def said(text: str, seed: int = 0, expressiveness: float = 1.0) -> Delivery:
    return deliver(Score.annotated(parse_response(text), expressiveness=expressiveness), np.random.default_rng(seed))


def mean_of(text: str, name: str, seeds: int = 30) -> np.ndarray:
    return np.mean([getattr(said(text, seed), name) for seed in range(seeds)], axis=0)


def tones(delivery: Delivery) -> np.ndarray:
    """Semitones over the plain voice, where it is voiced."""
    return 12 * np.log2(shape_pitch(F0, TIME, delivery)[:-8] / F0[:-8])


def test_every_function_and_affect_has_a_tune() -> None:
    assert set(FUNCTION_TUNES) == set(FUNCTIONS) and set(AFFECT_TUNES) == set(AFFECTS)


def test_a_contrast_stands_out_more_than_an_emphasis_and_both_more_than_the_rest() -> None:
    emphasis, contrast = (np.mean([tones(said(f"[inform] We saw the {m}man{m} today.", s)) for s in range(20)], axis=0) for m in "*^")
    start, end = TIME.vowel(3)
    place = slice(start, end)
    assert contrast[place].mean() > emphasis[place].mean() + 0.5 > emphasis[: TIME.vowel(0)[1]].mean() + 1.5
    assert contrast[start - 12 : start - 6].min() < -0.3, "a dip before"
    assert mean_of("[inform] We saw the ^man^ today.", "range_log")[4] < -0.2, "compressed behind it"


def test_questions_rise_to_yes_and_no_and_fall_after_a_question_word() -> None:
    texts = ("[ask] We saw the man *today*?", "[ask] Why saw the man *today*?")
    yes_no, open_one = (np.mean([tones(said(text, seed)) for seed in range(20)], axis=0) for text in texts)
    assert yes_no[-6:].mean() > 2 and yes_no[-1] > yes_no[-12] + 1 and open_one[-1] < open_one[-6] - 1
    assert abs(yes_no[: TIME.vowel(2)[0]].mean()) < 1.5, "the rise is at the end"


def test_a_list_rises_on_all_items_but_the_last() -> None:
    ends = mean_of("[list] We *saw*, [list] the *man*, [list] *today*.", "ramp_st")
    assert ends[1] > 1 and ends[3] > 1 and ends[4] < -1


def test_the_point_of_a_joke_waits() -> None:
    pauses = mean_of("[joke] We saw the man. [joke] *Today*.", "pause_units")
    assert pauses[4] > 5 and pauses[:4].max() < 0.1
    assert mean_of("[joke] We saw the man. [inform] *Today*.", "pause_units")[4] < 3


def test_comfort_is_slow_soft_and_narrow_and_a_warning_is_firm() -> None:
    comfort, warning = (said(f"[{name}] We saw the man today.", 1) for name in ("comfort", "warn"))
    assert comfort.tempo_log[0] > 0.03 and comfort.gain_db[0] < -1 and comfort.range_log[0] < -0.2
    assert warning.gain_db[0] > 1


def test_relief_fades_out() -> None:
    gain = np.mean([shape_gain(TIME, said("[relieve] We saw the man *today*.", s)) for s in range(20)], axis=0)
    assert gain[-6:].mean() < gain[: TIME.vowel(1)[1]].mean() - 2


def test_pauses_stand_at_their_words_and_never_before_the_response() -> None:
    delivery = said("[joke] We saw the man. [joke] *Today*.", 3)
    shaped = shape_durations(UNITS.astype(float), PHONES, WORDS, delivery)
    space = PHONES.rindex(" ")
    assert shaped[space] == pytest.approx(UNITS[space] * np.exp(min(delivery.tempo_log[4], 0.1)) + delivery.pause_units[4])
    assert pause_before(np.array([0, 0]), delivery) == 0 and pause_before(np.array([4]), delivery) == delivery.pause_units[4]


def test_who_is_unsure_or_thinks_sometimes_waits_before_the_word() -> None:
    waits = [said("[recall] We saw the *man* today.", s).pause_units[3] for s in range(40)]
    assert 0.3 < np.mean(np.array(waits) > 1) < 0.9


def test_the_silence_behind_a_last_phone_is_not_stretched() -> None:
    slow = Delivery(*(np.zeros(5) for _ in range(10)))
    slow.tempo_log[:] = 0.2
    assert shape_durations(np.full(len(PHONES), 20.0), PHONES, WORDS, slow).max() < 22


def test_without_expressiveness_only_the_performance_s_own_variation_is_left() -> None:
    flat = said("[react joy.9] *We* saw the ^man^ today.", 5, expressiveness=0.0)
    assert np.ptp(flat.pitch_st) == np.ptp(flat.range_log) == 0 and abs(flat.pitch_st[0]) < 0.8
    assert not flat.accent_st.any() and not flat.pause_units.any() and not flat.gain_db.any()


def test_expressiveness_scales_and_the_seed_decides() -> None:
    text = "[praise joy.5] We *saw* the man today."
    little, much = (said(text, 2, e) for e in (0.5, 1.5))
    assert 0 < little.accent_st[1] < much.accent_st[1] and little.gain_db[0] < much.gain_db[0]
    np.testing.assert_array_equal(said(text, 2).pitch_st, said(text, 2).pitch_st)
    assert said(text, 2).accent_st[1] != said(text, 3).accent_st[1]


def test_the_register_glides_between_phrases_and_unvoiced_frames_stay() -> None:
    score = Score(tuple("abcde"), (ScorePhrase(0, 2, (), Affect("joy", 1.0), {}), ScorePhrase(2, 5, (), Affect("sadness", 1.0), {})))
    delivery = deliver(score, np.random.default_rng(0))
    register = TIME.per_frame(delivery.pitch_st)
    assert register[0] - register[-1] > 3 and np.abs(np.diff(register)).max() < 0.4
    assert not shape_pitch(F0, TIME, delivery)[-8:].any()
