"""Two annotations compared: the figures by hand on small counts, near 0 where the second is shuffled, and what ships."""

import json
from dataclasses import replace

import numpy as np
import pytest

from a2llm.affect import Affect
from a2llm.cli import main
from a2llm.data.agreement import SECOND, f1, figures, in_sample, kappa, matched, one_of, sheet
from a2llm.data.annotation import AnnotatedDialogue, AnnotatedTurn, Phrase, load_annotated, parse_response


def dialogue(*responses: str) -> AnnotatedDialogue:
    return AnnotatedDialogue(
        "test", tuple(AnnotatedTurn(f"line {n}", Affect(), parse_response(response)) for n, response in enumerate(responses))
    )


def compared(first: str, second: str) -> dict:
    return figures(matched([dialogue(first)], [dialogue(second)]))


def test_kappa_and_f1_are_those_of_the_textbook():
    counts = np.array([[20.0, 5.0], [10.0, 15.0]])
    assert kappa(counts) == pytest.approx(0.4)  # 0.7 agree, 0.5 by chance
    assert f1(counts) == pytest.approx(30 / 45)
    three = np.array([[1.0, 2.0, 0.0], [0.0, 4.0, 3.0], [5.0, 0.0, 6.0]])
    assert one_of(three, 1).tolist() == [[12.0, 2.0], [3.0, 4.0]]


def test_the_same_twice_agrees_wholly():
    found = compared("[ask joy.3] *Why*? [inform] So it ^is^.", "[ask joy.3] *Why*? [inform] So it ^is^.")
    keys = ("leading_function_kappa", "any_function_f1", "affect_kappa", "stress_f1", "stress_kappa")
    assert [found[key] for key in keys] == [1.0] * 5
    assert (found["intensity_mean_difference"], found["intensity_bias"], found["intensity_n"]) == (0.0, 0.0, 1)


def test_every_kind_of_disagreement_shows():
    found = compared("[react joy.6] Oh *really*? [praise] Well ^done^.", "[react joy.4] *Oh* really? [joke praise sadness.3] Well *done*.")
    assert (found["leading"]["praise"]["f1"], found["any"]["praise"]["f1"]) == (0.0, 1.0)
    assert (found["leading"]["joke"], found["leading"]["thank"]) == ({"kappa": 0.0, "f1": 0.0, "n": 1}, {"n": 0})
    assert (found["affect"]["joy"]["f1"], found["affect"]["neutral"]["f1"]) == (1.0, 0.0)
    assert (found["intensity_mean_difference"], found["intensity_bias"]) == pytest.approx((0.2, -0.2))
    assert (found["stress_f1"], found["stress_n"], found["words"]) == (0.5, 3, 4)
    assert found["stress_contrast"] == {"kappa": 0.0, "f1": 0.0, "n": 1}


def test_a_dialogue_with_other_words_or_phrases_is_left_out():
    first = [dialogue("[inform] One. [inform] Two.")]
    assert [matched(first, [dialogue(r)]) for r in ("[inform] One. [inform] Three.", "[inform] One. Two.")] == [[], []]
    assert len(matched(first, [dialogue("[list] One. [list] *Two*.")])) == 1


def test_a_sheet_shows_words_and_hides_labels():
    drawn = next(d for d in load_annotated() if in_sample(d))
    assert list(sheet([drawn], [drawn])) == []
    (row,) = sheet([drawn], [])
    assert [turn["response"] for turn in row["turns"]] == [" ".join(f"[] {p.text}" for p in turn.phrases) for turn in drawn.turns]
    assert row["kind"] == "blind" and "pair" not in row
    with pytest.raises(ValueError, match="begins with"):
        parse_response(row["turns"][0]["response"])


def test_what_ships_is_of_the_sample_and_agrees_better_than_chance():
    second = list(load_annotated(SECOND))
    assert all(in_sample(d) for d in second)
    found = figures(matched(load_annotated(), second))
    assert found["dialogues"] >= 150
    assert found["leading_function_kappa"] > 0.5 and found["affect_kappa"] > 0.5


def test_a_shuffled_second_annotation_agrees_as_chance_does():
    rng = np.random.default_rng(0)
    dialogues = matched(load_annotated(), load_annotated(SECOND))
    phrases = [theirs for pairs in dialogues for _, theirs in pairs]
    drawn = iter([phrases[index] for index in rng.permutation(len(phrases))])
    shuffled = [[(ours, labels_of(next(drawn), theirs)) for ours, theirs in pairs] for pairs in dialogues]
    found = figures(shuffled)
    assert [abs(found[key]) < 0.05 for key in ("leading_function_kappa", "affect_kappa")] == [True, True]
    assert found["stress_kappa"] < 0.2  # not 0: a short phrase has few words to choose from
    assert abs(found["intensity_correlation"]) < 0.25


def labels_of(other: Phrase, phrase: Phrase) -> Phrase:
    """`phrase` with the labels of another; the stress falls on its words at the same share of the way through."""
    words, others = len(phrase.text.split()), len(other.text.split())
    stressed = {index * words // others: kind for index, kind in other.stressed.items()}
    return replace(phrase, functions=other.functions, affect=other.affect, stressed=stressed)


def test_the_command_writes_flat_figures(tmp_path, capsys):
    assert main(["data", "agreement", "--json", str(tmp_path / "a.json")]) == 0
    found = json.loads((tmp_path / "a.json").read_text())
    assert {"leading_function_kappa_low", "affect_joy_f1", "any_joke_n", "stress_contrast_kappa"} <= set(found)
    assert all(isinstance(value, int | float) for value in found.values())
    assert "functions confused" in capsys.readouterr().out
    assert main(["data", "agreement", "--sheet", str(tmp_path / "s.jsonl")]) == 0
    assert (tmp_path / "s.jsonl").exists()
