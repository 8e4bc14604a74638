"""The proof: an effect that is planted in the motion is found, one that is taken out is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.checkpoint import CheckpointError
from a2llm.data.hidden import WordStates
from a2llm.evaluation.motion_judge import FILE, JudgeConfig, MotionJudge, Verdict, frames_inside, load_motion_judge
from a2llm.evaluation.proof import FUSED, Model, perform_all, report
from a2llm.evaluation.proof_cases import Case, Example, Labels, read_cases, spans_of
from a2llm.evaluation.proof_motion import Performance, Stage, follow_sound, shuffled, zeroed
from a2llm.evaluation.proof_scores import by_unit, correlation, f1, pair_sums, scores, with_crossed_interval
from a2llm.rig import ARKIT61
from a2llm.talker.model import Talker
from a2llm.talker.style import Style
from a2llm.training.loop import LoopConfig
from a2llm.training.motion_judge import JudgeTraining, fit_motion_judge, function_f1, train_motion_judge, tune

NAMES = ("nod", "smile", "still")
FRAMES, PHRASE = 80, 40
SMALL = JudgeTraining(JudgeConfig(NAMES, 24), batch=16, fewest=3, loop=LoopConfig(steps=120, peak_lr=4e-3, warmup_steps=5))


def example(index: int, shown: bool = True) -> Example:
    """Two phrases. Each does one of three things and feels like joy where it smiles; the motion shows it, or does not."""
    rng = np.random.default_rng(index)
    does = rng.integers(0, 3, 2)
    motion = 0.02 * rng.standard_normal((FRAMES, 61))
    for phrase, what in enumerate(does):
        part = motion[phrase * PHRASE : (phrase + 1) * PHRASE]
        if shown and what == 0:
            part[:, ARKIT61.group("head")[1]] += 0.3 * np.sin(np.arange(PHRASE) / 3)
        if shown and what == 1:
            part[:, ARKIT61.indices("mouthSmileLeft", "mouthSmileRight")] += 0.5
    affects = np.zeros((2, 5), np.float32)
    affects[np.arange(2), (does == 1).astype(int)] = 1.0
    labels = Labels(np.eye(3, dtype=np.float32)[does], affects, np.array([[0, 2], [2, 4]]))
    return Example(motion.astype(np.float16), np.array([[0, PHRASE], [PHRASE, FRAMES]]), labels)


def case(index: int, taught: Example | None = None, pair: str = "", text: str = "Well, I am fine, thank you.") -> Case:
    size, rng = tiny.MEANING.state_size, np.random.default_rng(index)
    known = WordStates(rng.standard_normal((6, size)).astype(np.float16), rng.standard_normal((3, size)).astype(np.float16))
    return Case(index, text, pair or f"dialogue {index}", pair, known, Style(), taught or example(index))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> MotionJudge:
    made, _ = fit_motion_judge([example(i) for i in range(200)], tmp_path_factory.mktemp("judge"), SMALL)
    tune(made, [example(i) for i in range(1000, 1060)], SMALL)
    return made.requires_grad_(False)


def test_a_judge_reads_what_is_shown_and_nothing_where_nothing_is(judge: MotionJudge):
    assert function_f1(judge, [example(i) for i in range(2000, 2040)]) > 0.85
    assert function_f1(judge, [example(i, shown=False) for i in range(2000, 2040)]) < 0.6


def test_a_planted_effect_is_found_and_a_removed_one_is_not(judge: MotionJudge):
    cases = [case(i, pair=f"pair {i // 2}") for i in range(3000, 3060)]
    runs = {
        "fused": [scores(judge, None, cases, [c.taught for c in cases])] * 2,
        "zeroed": [scores(judge, None, cases, [example(c.sample, shown=False) for c in cases])] * 2,
        "shuffled": [scores(judge, None, cases, [replace(c.taught, motion=example(c.sample + 1000).motion) for c in cases])] * 2,
    }
    figures = report(runs)
    assert figures["function_f1_fused"] > 0.85 and figures["arc_correlation_fused"] > 0.6 and figures["minimal_pair_pct_fused"] > 85
    assert figures["function_f1"] == figures["function_f1_fused"]
    for name in ("zeroed", "shuffled"):
        assert figures[f"function_f1_{name}_high"] < figures["function_f1_fused_low"]
        assert abs(figures[f"arc_correlation_{name}"]) < 0.4
        assert figures[f"minimal_pair_pct_{name}_low"] < 60 < figures["minimal_pair_pct_fused_low"]


def test_a_function_that_shows_nowhere_is_not_counted(tmp_path: Path):
    made, _ = fit_motion_judge([example(i, shown=i % 2 == 0) for i in range(20)], tmp_path, replace(SMALL, loop=LoopConfig(steps=2)))
    tune(made, [example(i, shown=False) for i in range(1000, 1040)], replace(SMALL, readable=0.7))
    assert made.readable.sum() == 0 and function_f1(made, [example(1)]) == 0.0


def test_the_same_motion_for_both_contexts_is_half_right():
    labels = [example(i).labels for i in (1, 2)]
    same = Verdict(np.full((2, 3), 0.5), np.full((2, 5), 0.2))
    assert pair_sums([same, same], labels, np.ones(3)).tolist() == [0.5, 1.0]
    assert pair_sums([same, same], [labels[0], labels[0]], np.ones(3)).tolist() == [0.0, 0.0], "no difference to tell"
    own = [Verdict(np.clip(x.functions, 0.1, 0.9), np.clip(x.affects, 0.1, 0.9)) for x in labels]
    assert pair_sums(own, labels, np.ones(3)).tolist() == [1.0, 1.0]
    assert pair_sums(own[::-1], labels, np.ones(3)).tolist() == [0.0, 1.0]


def test_intervals_draw_dialogues_and_seeds():
    rng = np.random.default_rng(0)
    few, many = (rng.integers(0, 2, (3, count, 1)) for count in (10, 1000))
    widths = []
    for hits in (few, many):
        sums = np.concatenate((hits, np.ones_like(hits), np.ones_like(hits)), -1).astype(float)
        figures = with_crossed_interval("f", sums, f1)
        assert figures["f_low"] <= figures["f"] <= figures["f_high"]
        widths.append(figures["f_high"] - figures["f_low"])
    assert widths[1] < widths[0]
    assert np.isnan(with_crossed_interval("f", np.zeros((2, 0, 3)), f1)["f"])
    assert correlation(np.array([2.0, 1.0, 4.0])) == pytest.approx(1.0)
    assert by_unit(["b", "a", "b"], [np.array([1.0]), np.array([2.0]), np.array([3.0])]).tolist() == [[2.0], [4.0]]


def test_a_phrase_s_frames_are_those_of_its_words():
    labels = Labels(np.zeros((2, 3)), np.zeros((2, 5)), np.array([[0, 2], [2, 3]]))
    spans = spans_of(labels, np.array([0, 0, 1, 2]), np.array([2, 3, 4, 5]))
    assert spans.tolist() == [[0, 9], [9, 14]]
    inside = frames_inside(spans, 30)
    assert inside[0, 0] and inside[0, 20] and not inside[0, 21] and inside[1, 5] and not inside[1, 4]


def stage() -> Stage:
    return Stage(tiny.fast_talker(tiny.MEANING), tiny.motion_codec(), tiny.g2p(), tiny.phones())


def test_performances_depend_on_their_states_and_seed_alone():
    cases, own = [case(i) for i in range(3)], stage()
    fused = own.perform(cases, [c.states for c in cases], 0)
    again, other = (own.perform(cases, [c.states for c in cases], seed) for seed in (0, 1))
    silent, [alone] = own.perform(cases, zeroed(cases), 0), own.perform(cases[1:2], [cases[1].states], 0)

    def same(one: Performance, two: Performance) -> bool:
        return one.latents.shape == two.latents.shape and np.allclose(one.example.motion, two.example.motion, atol=1e-4)

    assert all(same(a, b) for a, b in zip(fused, again, strict=True)) and same(alone, fused[1])
    assert not same(fused[0], other[0]) and not same(fused[0], silent[0])
    assert all(len(p.example.motion) == 2 * len(p.latents) and p.example.spans.shape == (2, 2) for p in fused)


def test_a_pair_without_states_moves_alike():
    """The words are the same, so with nothing else known the motion is, too."""
    a, b = case(7, pair="p"), replace(case(8, pair="p"), sample=7)
    one, two = stage().perform([a, b], zeroed([a, b]), 0)
    assert np.array_equal(one.example.motion, two.example.motion)


def test_shuffled_states_are_those_of_another_case():
    cases = [case(i) for i in range(5)]
    for own, given in zip(cases, shuffled(cases, 0), strict=True):
        assert given.words.shape == own.states.words.shape
        assert not np.array_equal(given.words, own.states.words) and not np.array_equal(given.user, own.states.user)
        assert any(np.array_equal(given.user, other.states.user) for other in cases)


def test_a_face_of_sound_moves_to_what_it_hears():
    torch.manual_seed(0)
    config = replace(tiny.MEANING, only_sound=True, connector_width=0)
    talker = Talker(config).eval()
    talker.motion_codebooks.copy_(tiny.motion_codec().quantizer.codebooks)
    cases = [case(i) for i in range(2)]
    heard = stage().perform(cases, [c.states for c in cases], 0)
    moved, again = (follow_sound(talker, tiny.motion_codec(), heard, 0) for _ in range(2))
    louder = follow_sound(talker, tiny.motion_codec(), [replace(p, latents=p.latents + 3) for p in heard], 0)
    for one, two, other, source in zip(moved, again, louder, heard, strict=True):
        assert np.array_equal(one.example.motion, two.example.motion) and one.example.motion.shape == source.example.motion.shape
        assert not np.array_equal(one.example.motion, other.example.motion)
    with pytest.raises(ValueError, match="reads words"):
        follow_sound(tiny.talker(tiny.MEANING), tiny.motion_codec(), heard, 0)
    made = perform_all(Model(stage(), talker), cases, 0)
    assert set(made) == {FUSED, "zeroed", "shuffled", "audio_only"}


def test_what_is_missing_is_said(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_motion_judge(tmp_path / FILE)
    (tmp_path / "text.jsonl").write_text("")
    (tmp_path / "shards").mkdir()
    with pytest.raises(ValueError, match="a2 data build"):
        read_cases(tmp_path)
    with pytest.raises(ValueError, match="a2 data build"):
        train_motion_judge(tmp_path / "shards", tmp_path, SMALL)
