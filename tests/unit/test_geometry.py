"""The heads' vertices: millimetres, linearity, lips that open and close."""

import numpy as np
import pytest

from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit


@pytest.fixture(params=["woman", "man"])
def head(request) -> HeadGeometry:
    return HeadGeometry.load(request.param)


def test_a_head_is_head_sized(head):
    size = np.ptp(head.neutral, axis=0)
    assert (size > 200).all() and (size < 400).all()
    assert head.deltas.shape == (61, *head.neutral.shape)
    assert head.faces.max() == len(head.neutral) - 1


def test_vertices_are_the_linear_basis(head):
    coefs = np.random.default_rng(0).random((3, 61), np.float32)
    neutral, deltas = head.basis("lips")
    expected = neutral + np.einsum("fc,cvd->fvd", coefs, deltas)
    assert np.allclose(head.vertices(coefs, "lips"), expected, atol=1e-3)
    assert np.allclose(head.vertices(coefs)[:, head.subset("lips")], expected, atol=1e-3)


def test_rotations_do_not_move_vertices(head):
    assert not head.deltas[ARKIT61.group("rotations")].any()


def test_lips_rest_closed_open_and_close(head):
    open_, shut = ARKIT61.pose({"jawOpen": 0.3}), ARKIT61.pose({"jawOpen": 0.3, "mouthClose": 0.3})
    rest, wide, closed = head.lip_opening(np.stack([ARKIT61.pose({}), open_, shut]))
    assert rest < 0.5 and 8 < wide < 12 and closed < 0.5


def test_smiling_widens_and_puckering_narrows(head):
    rest, smile, pucker = head.lip_width(np.stack([ARKIT61.pose(p) for p in ({}, {"mouthSmile": 1}, {"mouthPucker": 1})]))
    assert pucker < rest - 5 < rest + 5 < smile


def test_unknown_names_are_refused(head):
    with pytest.raises(ValueError, match="lips"):
        head.subset("ear")
    with pytest.raises(ValueError, match="woman"):
        HeadGeometry.load("dog")
