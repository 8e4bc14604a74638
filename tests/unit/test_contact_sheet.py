"""The frames of the contact sheets: each function at its stroke, each affect, none like another."""

from itertools import combinations

import numpy as np
import pytest

from a2llm.affect import AFFECTS
from a2llm.data.annotation import FUNCTIONS
from a2llm.evaluation.contact_sheet import affect_frame, function_frame

pytestmark = pytest.mark.unit


def test_a_stroke_is_far_from_rest_and_inform_is_rest() -> None:
    sizes = {name: float(np.abs(function_frame(name)).sum()) for name in FUNCTIONS}
    assert sizes.pop("inform") == 0 and min(sizes.values()) > 0.15


def test_affects_differ_at_a_glance() -> None:
    frames = {name: affect_frame(name) for name in AFFECTS}
    assert min(np.abs(frames[a] - frames[b]).max() for a, b in combinations(AFFECTS, 2)) > 0.4
