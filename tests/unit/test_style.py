"""How a response is spoken: what the talker is told, and what it cannot be told."""

import numpy as np
import pytest
from support.models import tiny

from a2llm.affect import Affect
from a2llm.talker.style import Style, style_vector, voice_index


def test_an_affect_that_nobody_asked_for_is_zeros():
    assert not style_vector(Style(), tiny.TALKER).any()
    assert style_vector(Style(Affect("joy", 0.5)), tiny.TALKER).tolist() == [0.5, 0.5, 0, 0, 0]
    assert style_vector(Style(Affect()), tiny.TALKER).tolist() == [1, 0, 0, 0, 0]


def test_strength_and_voice_stand_behind_the_affect():
    made = style_vector(Style(Affect("anger", 1.0), 0.25, 1), tiny.MEANING)
    np.testing.assert_allclose(made, [0, 0, 0, 1, 0, -0.75, 0, 1])
    assert len(made) == tiny.MEANING.style_size


@pytest.mark.parametrize("wrong", [-0.1, 1.6])
def test_strength_has_bounds(wrong: float):
    with pytest.raises(ValueError, match=r"between 0 and 1\.5"):
        Style(expressiveness=wrong)


def test_a_voice_is_found_by_its_name():
    assert [voice_index(tiny.MEANING, name) for name in ("heart", "michael")] == [0, 1]
    assert voice_index(tiny.MEANING, "", "michael") == 1
    assert voice_index(tiny.MEANING, "", "a persona's from elsewhere") == 0
    with pytest.raises(ValueError, match="unknown voice 'nobody': choose one of heart, michael"):
        voice_index(tiny.MEANING, "nobody", "michael")
