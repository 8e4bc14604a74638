"""The annotated responses that are spoken: which, in which ways, and which are held out."""

from collections import Counter
from dataclasses import asdict, replace

import pytest

from a2llm.affect import Affect
from a2llm.data.lines import Manner, overall_affect, plan, split_of
from a2llm.data.score import Score
from a2llm.data.selection import annotated_samples, draw, estimated_s, functions_of, phrases_of
from a2llm.data.text import Sample
from a2llm.messages.requests import MOST_EXPRESSIVE

SAMPLES = list(annotated_samples())
MANNER = Manner(1, ("heart", "michael"), 0.5)


def rows(samples: list[Sample]) -> list[dict]:
    return [asdict(sample) for sample in samples]


def test_a_response_comes_with_the_turns_before_it():
    later = next(sample for sample in SAMPLES if sample.earlier)
    assert set(later.earlier[0]) == {"user", "voice", "response"} and later.source == "annotated"
    assert " ".join(str(phrase["text"]) for phrase in later.phrases) == later.response
    assert functions_of(later) and phrases_of(later.phrases)[0].functions == tuple(later.phrases[0]["functions"])


def test_rare_functions_are_met_more_often_than_they_are_written():
    alike, rare = (draw(SAMPLES, 0.5, rarity, seed=1) for rarity in (0.0, 2.0))
    counts = Counter(name for sample in SAMPLES for name in functions_of(sample))
    seldom = {name for name, _ in counts.most_common()[-8:]}

    def share(drawn: list[Sample]) -> float:
        return sum(bool(seldom & functions_of(sample)) for sample in drawn) / len(drawn)

    assert share(rare) > 1.5 * share(alike)
    assert draw(SAMPLES, 0.5, 2.0, seed=1) == rare != draw(SAMPLES, 0.5, 2.0, seed=2)


def test_as_many_hours_as_were_asked_for_and_no_more_than_there_are():
    drawn = draw(SAMPLES, 0.5, 0.5, seed=0)
    assert sum(map(estimated_s, drawn)) == pytest.approx(1800, rel=0.03)
    assert draw(SAMPLES, 1e6, 0.5, seed=0) == SAMPLES
    assert draw(SAMPLES, 0.0, 0.5, seed=0) == []


def test_a_pairs_contexts_come_together_and_stay_in_one_split():
    drawn = draw(SAMPLES, 2.0, 0.5, seed=0)
    pairs = Counter(sample.pair for sample in drawn if sample.pair)
    assert pairs and all(pairs[name] == sum(s.pair == name for s in SAMPLES) for name in pairs)
    lines = plan(rows(SAMPLES), MANNER, 0)
    splits: dict[str, set[str]] = {}
    for line in lines:
        splits.setdefault(str(SAMPLES[line.sample].response).lower(), set()).add(line.split)
    assert all(len(found) == 1 for found in splits.values())
    paired = [line.split for line in lines if SAMPLES[line.sample].pair]
    assert 0.1 < paired.count("held_out") / len(paired) < 0.35


def test_what_few_hold_out_more_do_too():
    texts = [sample.response for sample in SAMPLES[:500]]
    assert all(split_of(text, 51) == "held_out" for text in texts if split_of(text) == "held_out")


def test_annotated_responses_are_performed_as_their_words_mean_them():
    sample = next(s for s in SAMPLES if len(s.phrases) > 2)
    [line] = plan(rows([sample]), replace(MANNER, variants=3), 0)
    first, *forced = line.performances
    assert not first.forced and line.annotated and len(first.score.phrases) == len(sample.phrases)
    assert len(forced) == 2 and all(other.forced and not other.score.phrases[0].functions for other in forced)


def test_lines_that_mean_nothing_where_they_stand_are_asked_for_with_their_affect():
    drill = Sample("Repeat after me.", "neutral", "Say one before you say two.", "joy", 0.7, "drill")
    repeated, written = replace(drill, source="repeat"), replace(drill, source="written")
    lines = plan(rows([drill, repeated, written]), MANNER, 0)
    assert [line.performances[0].forced for line in lines] == [True, True, False]
    assert not any(line.annotated for line in lines)
    assert all(overall_affect(line.performances[0].score) == Affect("joy", 0.7) for line in lines)


def test_voices_and_strengths_are_drawn():
    lines = plan(rows(SAMPLES[:400]), MANNER, 0)
    scores = [performance.score for line in lines for performance in line.performances]
    assert {score.voice for score in scores} == {"heart", "michael"}
    usual = sum(score.expressiveness == 1.0 for score in scores) / len(scores)
    assert 0.4 < usual < 0.6 and all(0.3 <= score.expressiveness <= MOST_EXPRESSIVE for score in scores)
    assert lines == plan(rows(SAMPLES[:400]), MANNER, 0)


def test_the_affect_of_a_whole_response_is_the_mean_over_its_words():
    phrases = phrases_of(
        [
            {"text": "Oh no.", "functions": ["react"], "affect": {"category": "sadness", "intensity": 0.8}, "stressed": {}},
            {"text": "Well done.", "functions": ["praise"], "affect": {"category": "joy", "intensity": 0.4}, "stressed": {"1": "emphasis"}},
        ]
    )
    mixed = overall_affect(Score.annotated(phrases))
    assert (mixed.category, mixed.intensity) == ("sadness", pytest.approx(0.4))
    assert phrases[1].stressed == {1: "emphasis"}
