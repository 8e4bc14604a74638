"""The affect moves from phrase to phrase and is still there at the end."""

import numpy as np
import pytest

from a2llm.affect import AFFECTS
from a2llm.data.annotation import parse_response
from a2llm.data.expression import STYLES
from a2llm.data.face.arcs import AFTERGLOW, add_affect, affect_levels, blended
from a2llm.data.face.moves import Stretch
from a2llm.data.score import Score
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

ARC = Score.annotated(parse_response("[empathise sadness.6] Oh no. [comfort joy.4] He comes back."))
STRETCHES = [Stretch(4, 70, (20,), 160), Stretch(80, 150, (120,), 160)]
SAD, JOY = AFFECTS.index("sadness"), AFFECTS.index("joy")


def _levels(score: Score = ARC) -> np.ndarray:
    return affect_levels(score, STRETCHES, 160, np.random.default_rng(0))


def test_sorrow_gives_way_to_hope_without_a_blank_face() -> None:
    levels = _levels()
    assert levels[40, SAD] > 0.5 and levels[40, JOY] < 0.02 and levels[125, JOY] > 0.35 and levels[125, SAD] < 0.02
    assert levels[60:90].sum(1).min() > 0.35 and np.abs(np.diff(levels, axis=0)).max() < 0.09
    assert not levels[:, 0].any()


def test_the_last_feeling_glows_on() -> None:
    levels = _levels()
    assert levels[-1, JOY] == pytest.approx(AFTERGLOW * levels[130, JOY], rel=0.25) and levels[0, SAD] < 0.05


def test_expressiveness_scales_a_feeling_and_zero_shows_none() -> None:
    flat, much = (_levels(Score(ARC.words, ARC.phrases, "", e)) for e in (0.0, 1.5))
    assert not flat.any() and much[40, SAD] > 1.3 * _levels()[40, SAD]


def test_styles_blend_and_the_face_shows_it() -> None:
    levels = _levels()
    tempo = blended(levels, "tempo")
    assert tempo[40] < 0.85 and tempo[125] > 1.0
    motion = np.zeros((160, 61), np.float32)
    add_affect(motion, levels, np.ones(160, np.float32))
    inner, smile = (motion[:, ARKIT61.index(name)] for name in ("browInnerUp", "mouthSmileLeft"))
    assert inner[40] > 0.4 > inner[125] and smile[125] > 0.2 > smile[40]
    assert STYLES["sadness"].pose["browInnerUp"] > 0
