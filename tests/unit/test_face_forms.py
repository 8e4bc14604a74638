"""Every function has a form with its source, made of moves that exist, and no two functions share one."""

import re
from itertools import combinations

import numpy as np
import pytest

from a2llm.data.annotation import FUNCTIONS
from a2llm.data.face import social, statements
from a2llm.data.face.forms import FORMS
from a2llm.data.face.moves import GAZE, HEAD, POSES, Stretch, draw
from a2llm.data.face.place import Place

pytestmark = pytest.mark.unit
PLACE = Place(side=1.0)
CHANNELS = [*POSES, *GAZE]
WHERE = Stretch(20, 70, (45,), 110)


def _tracks(name: str, place: Place = PLACE) -> np.ndarray:
    """All channels of a form, weighed so that a nod counts as much as a raise of the brows: [channels, F]."""
    tracks = {channel: np.zeros(WHERE.frames) for channel in (*POSES, *GAZE)}
    for move in FORMS[name](place):
        tracks[move.channel] += draw(move, WHERE) / (0.1 if move.channel in (*HEAD, *GAZE) else 0.5)
    return np.stack(list(tracks.values()))


def test_every_function_has_a_form() -> None:
    assert set(FORMS) == set(FUNCTIONS)
    assert [name for name in FUNCTIONS if not FORMS[name](PLACE)] == ["inform"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_form_names_its_source_and_its_moves_are_in_range(name: str) -> None:
    assert re.search(r"(18|19|20)\d\d", FORMS[name].__doc__ or ""), "a source with its year"
    for move in FORMS[name](PLACE):
        assert move.channel in (*POSES, *GAZE) and 0 < move.chance <= 1
        assert abs(move.size) <= (0.3 if move.channel in (*HEAD, *GAZE) else 1.0)


def test_a_form_is_likely_to_be_seen() -> None:
    for name, form in FORMS.items():
        if moves := form(PLACE):
            assert 1 - np.prod([1 - move.chance for move in moves]) > 0.85, name


def test_no_two_functions_look_alike() -> None:
    shapes = {name: _tracks(name).ravel() for name in FUNCTIONS if name != "inform"}
    for a, b in combinations(shapes, 2):
        likeness = shapes[a] @ shapes[b] / np.linalg.norm(shapes[a]) / np.linalg.norm(shapes[b])
        assert likeness < 0.9, f"{a} and {b}: {likeness:.2f}"


def test_forms_follow_their_place() -> None:
    items = [_tracks("list", Place(item=item))[CHANNELS.index("yaw")] for item in (0, 1)]
    assert items[0][45] > 0 > items[1][45], "items lie on both sides"
    brows = {open_one: _tracks("ask", Place(open_question=open_one)) for open_one in (False, True)}
    raised, drawn = (CHANNELS.index(name) for name in ("brows", "frown"))
    assert brows[False][raised].max() > 0.8 and brows[True][drawn].max() > 0.8
    assert not brows[False][drawn].any() and not brows[True][raised].any()
    assert len(statements.joke(Place(last=True))) > len(statements.joke(Place(last=False)))


def test_yes_and_no_are_about_other_axes() -> None:
    assert {m.channel for m in statements.affirm(PLACE)} & {"pitch", "yaw"} == {"pitch"}
    assert {m.channel for m in statements.negate(PLACE)} & {"pitch", "yaw"} == {"yaw"}
    assert any(m.channel == "brows" for m in social.greet(PLACE)), "the eyebrow flash"
