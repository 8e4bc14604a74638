import numpy as np
import pytest

from a2llm.affect import AFFECTS, Affect, valence_arousal


def test_parse():
    assert Affect.parse("joy:0.5") == Affect("joy", 0.5)
    assert Affect.parse(" Anger ") == Affect("anger", 0.7)
    assert Affect.parse(str(Affect("sadness", 0.25))) == Affect("sadness", 0.25)


@pytest.mark.parametrize("text", ["", "hunger", "joy:much", "joy:1.5", "joy:-0.1", "joy:nan"])
def test_parse_refuses(text: str):
    with pytest.raises(ValueError, match="affect"):
        Affect.parse(text)


@pytest.mark.parametrize("category", AFFECTS)
def test_vector_shares_sum_to_one(category: str):
    vector = Affect(category, 0.25).vector()
    assert vector.dtype == np.float32
    assert vector.sum() == 1.0
    assert vector[Affect(category, 0.25).index] == (1.0 if category == "neutral" else 0.25)


@pytest.mark.parametrize(("category", "valence", "arousal"), [("neutral", 0.0, 0.3), ("joy", 0.8, 0.6), ("anger", -0.6, 0.85)])
def test_a_category_has_a_place_on_the_circumplex(category: str, valence: float, arousal: float):
    certain = np.eye(len(AFFECTS))[AFFECTS.index(category)]
    assert valence_arousal(certain) == (valence, arousal)


def test_doubt_lies_between_the_categories():
    halves = np.zeros(len(AFFECTS))
    halves[[AFFECTS.index("joy"), AFFECTS.index("sadness")]] = 0.5
    assert valence_arousal(halves) == pytest.approx((0.05, 0.4))
