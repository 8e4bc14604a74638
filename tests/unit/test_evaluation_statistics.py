"""Intervals, percentiles and the things that are asked."""

import numpy as np
import pytest

from a2llm.affect import AFFECTS
from a2llm.data.dialogues import load_dialogues
from a2llm.evaluation.progress import Steps
from a2llm.evaluation.run import NAMES, run_evaluation
from a2llm.evaluation.sentences import bench_prompts, forced_affects, held_out_questions, questions
from a2llm.evaluation.statistics import interval, percentiles, ratio, share_pct, with_interval
from a2llm.evaluation.voice import semitones, spread_ratio

pytestmark = pytest.mark.unit
ALL = np.arange(4)


def test_shares_are_pooled_not_averaged():
    assert share_pct([1, 0, 0, 0], [10, 30, 30, 30])(ALL) == 1
    assert ratio([1, 2, 3, 4], [2, 4, 6, 8])(ALL) == 0.5


def test_an_interval_holds_its_value_and_shrinks():
    rng = np.random.default_rng(0)
    few, many = rng.random(10), rng.random(1000)
    spans = []
    for values in (few, many):
        low, high = interval(len(values), lambda picks, v=values: float(v[picks].mean()))
        assert low < values.mean() < high
        spans.append(high - low)
    assert spans[1] < spans[0] / 4
    assert with_interval("x", ratio([1, 2], [1, 2]), 2) == {"x": 1, "x_low": 1, "x_high": 1}


def test_an_interval_follows_its_seed():
    values = np.random.default_rng(1).random(20)
    spans = [interval(20, lambda picks: float(values[picks].mean()), seed) for seed in (0, 0, 1)]
    assert spans[0] == spans[1] != spans[2]


def test_an_interval_is_the_percentile_bootstrap():
    """Drawn here by hand, as Efron 1979 has it."""
    top, bottom = np.array([1, 0, 2, 0, 3, 1, 0]), np.array([10, 9, 12, 7, 15, 8, 11])
    picks = np.random.default_rng(3).integers(7, size=(2000, 7))
    by_hand = np.percentile(100 * top[picks].sum(1) / bottom[picks].sum(1), (2.5, 97.5))
    assert interval(7, share_pct(top.tolist(), bottom.tolist()), 3) == pytest.approx(tuple(by_hand))


def test_one_clip_has_no_spread():
    assert interval(1, ratio([1], [2])) == (0.5, 0.5)


def test_percentiles():
    assert percentiles("frl", [float(v) for v in range(101)]) == {"frl_p50_ms": 50, "frl_p95_ms": 95}
    assert np.isnan(percentiles("frl", [])["frl_p50_ms"])


def test_spread_is_in_semitones_and_ignores_unvoiced_frames():
    track = np.array([0, 100, 200, 0, 100, 200], np.float32)
    assert np.ptp(semitones(track)) == pytest.approx(12, abs=1e-4)
    wide, narrow = [semitones(track)], [semitones(np.sqrt(track * 140))]
    assert spread_ratio(wide, narrow, np.array([0]), within=False) == pytest.approx(2, rel=1e-3)


def test_the_spread_within_clips_ignores_their_level():
    low, high = np.array([80.0, 82.0]), np.array([90.0, 92.0])
    assert spread_ratio([low, high], [low, low], np.array([0, 1]), within=True) == pytest.approx(1)
    assert spread_ratio([low, high], [low, low], np.array([0, 1]), within=False) > 4


def test_questions_are_held_out_and_fixed():
    trained = {e.user.lower() for d in load_dialogues() if not d.held_out for e in d.exchanges[:1]}
    asked = questions(50)
    assert len({q.text for q in asked}) == 50 and not {q.text.lower() for q in asked} & trained
    assert questions(3) == asked[:3] and len(questions(500)) == 500
    assert len(held_out_questions()) > 150
    with pytest.raises(ValueError, match="at least one"):
        questions(0)


def test_prompts_of_the_bench_were_in_no_training():
    said = {e.user.lower() for d in load_dialogues() for e in d.exchanges}
    assert len(set(bench_prompts())) == 50
    assert not {p.lower() for p in bench_prompts()} & said


def test_all_affects_are_forced_strongly():
    affects = forced_affects(3, seed=0)
    assert tuple(a.category for a in affects) == AFFECTS and affects == forced_affects(3, seed=0)
    assert affects[0].intensity == 0 and all(0.5 <= a.intensity <= 1 for a in affects[1:])
    assert affects != forced_affects(4, seed=0)


def test_steps_are_told():
    progress: list[tuple[int, int]] = []
    steps = Steps(2, lambda done, total: progress.append((done, total)))
    steps.tick(), steps.tick()
    assert progress == [(1, 2), (2, 2)]


def test_an_unknown_evaluation_names_the_known():
    with pytest.raises(ValueError, match=f"{NAMES[0]}, .*all"):
        run_evaluation("looks")
