"""A score covers the words as they are spoken, and every annotated response that ships has one."""

import numpy as np
import pytest

from a2llm.affect import Affect
from a2llm.data.annotation import FUNCTIONS, load_annotated, parse_response
from a2llm.data.score import Score, ScorePhrase, align
from a2llm.talker.phones import split_sentences

pytestmark = pytest.mark.unit


def test_phrases_keep_their_words_their_stress_and_their_affect() -> None:
    score = Score.annotated(parse_response("[empathise sadness.6] Oh no, I'm *sorry*. [comfort joy.3] Maybe she comes ^back^."), "max", 1.2)
    assert score.text == "Oh no, I'm sorry. Maybe she comes back."
    assert score.phrases[0] == ScorePhrase(0, 4, ("empathise",), Affect("sadness", 0.6), {3: "emphasis"})
    assert score.phrases[1] == ScorePhrase(4, 8, ("comfort",), Affect("joy", 0.3), {7: "contrast"})
    assert (score.voice, score.expressiveness) == ("max", 1.2)


def test_figures_are_spelled_out_within_their_phrase() -> None:
    score = Score.annotated(parse_response("[inform] It's *25* miles. [react joy.2] That took Dr. Lee 3 hours?"))
    assert score.words[:4] == ("It's", "twenty", "five", "miles.") and score.phrases[0].stressed == {2: "emphasis"}
    assert score.words[4:] == ("That", "took", "Doctor", "Lee", "three", "hours?")
    year = Score.annotated(parse_response("[inform] It was in *1999*. [agree] Yes."))
    spoken = list(year.words[year.phrases[0].start : year.phrases[0].end])
    assert len(spoken) > 4 and year.words[max(year.phrases[0].stressed)] == spoken[-1]
    assert year.words[year.phrases[1].start :] == ("Yes.",)


def test_every_annotated_response_has_a_score_and_its_words_are_those_of_the_speaker() -> None:
    """The ablation: a stress that is one word off is found, since the marked words of these texts are known."""
    for dialogue in load_annotated():
        for turn in dialogue.turns:
            score = Score.annotated(turn.phrases)
            assert [w for words in split_sentences(score.text) for w in words] == list(score.words)
            for phrase, made in zip(turn.phrases, score.phrases, strict=True):
                marked = [phrase.text.split()[i].strip(".,!?'").lower() for i in phrase.stressed]
                assert [score.words[i].strip(".,!?'").lower() for i in made.stressed] == marked or "Mr" in phrase.text


def test_labels_are_per_word() -> None:
    score = Score.annotated(parse_response("[affirm emphasise] *Yes*. [ask joy.5] Is it you?"))
    functions = score.function_labels()
    assert functions.shape == (4, len(FUNCTIONS)) and functions.sum(1).tolist() == [2, 1, 1, 1]
    np.testing.assert_allclose(score.affect_labels()[:2], [[1, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0]])


def test_a_plain_text_has_a_phrase_a_sentence_and_no_functions() -> None:
    score = Score.plain('He said "Go!" Then he left, I think', Affect("anger", 0.4))
    assert [(p.start, p.end) for p in score.phrases] == [(0, 3), (3, 8)] and not score.function_labels().any()
    assert Score.plain("", Affect()).phrases == () and Score.plain("", Affect()).affect_labels().shape == (0, 5)


def test_words_in_a_row_are_shared_out_in_order() -> None:
    assert align(["a", "1999", "2", "b"], ["a", "nineteen", "ninety-nine", "two", "b"]) == [0, 1, 2, 4, 5]
    assert align(["a", ":-)", "b"], ["a", "b"]) == [0, 1, 1, 2]


@pytest.mark.parametrize(
    ("phrases", "expressiveness", "match"),
    [
        ([ScorePhrase(0, 1, (), Affect(), {})], 1.0, "cover all 2"),
        ([ScorePhrase(0, 2, ("shout",), Affect(), {})], 1.0, "'shout'"),
        ([ScorePhrase(0, 2, (), Affect(), {})], 1.6, "expressiveness"),
    ],
)
def test_what_cannot_be_performed_is_refused(phrases: list[ScorePhrase], expressiveness: float, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Score(("a", "b"), tuple(phrases), "", expressiveness)
    with pytest.raises(ValueError, match="no word"):
        Score.annotated(parse_response("[inform] Yes. [joke] :-)"))
