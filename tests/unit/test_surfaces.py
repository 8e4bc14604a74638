"""Surfaces in the light of the studio: lit from the key, never negative, and each with its own gloss."""

import numpy as np
import pytest

from a2llm.avatar import surfaces as light

VIEW = (0.0, 0.0, 1.0)
BASE = (0.6, 0.4, 0.3)
TOWARD_KEY = light.unit(*light.KEY_DIRECTION)
AWAY = tuple(-part for part in TOWARD_KEY)
KINDS = {
    "skin": lambda n, lit: light.skin_color(n, VIEW, BASE, 0.5, lit),
    "eye": lambda n, lit: light.eye_color(n, VIEW, BASE, lit),
    "wet": lambda n, lit: light.wet_color(n, VIEW, BASE, 0.3, lit),
    "cloth": lambda n, lit: light.cloth_color(n, VIEW, BASE, lit),
    "hair": lambda n, lit: light.hair_color(n, (0.0, 1.0, 0.0), VIEW, BASE, 0.5, 1.0, lit),
}


def test_vectors_have_unit_length_even_where_there_is_none() -> None:
    assert np.linalg.norm(light.unit(3.0, -4.0, 12.0)) == pytest.approx(1.0, abs=1e-5)
    assert np.isfinite(light.unit(0.0, 0.0, 0.0)).all()
    assert light.dot((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)) == pytest.approx(32.0)
    assert [light.clamp(x) for x in (-1.0, 0.25, 7.0)] == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_surface_is_brighter_toward_the_key_light_and_never_negative(kind: str) -> None:
    lit, away = (np.array(KINDS[kind](n, 1.0)) for n in (TOWARD_KEY, AWAY))
    assert (away >= 0).all() and np.isfinite(lit).all() and lit.sum() > away.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_a_shadow_takes_the_key_light_and_leaves_the_room_s(kind: str) -> None:
    lit, shadowed = (np.array(KINDS[kind](TOWARD_KEY, share)) for share in (1.0, 0.0))
    assert (shadowed < lit).all() and shadowed.sum() > 0


def test_a_wrap_carries_light_of_its_colour_behind_the_edge() -> None:
    edge = light.unit(*np.cross(TOWARD_KEY, (0.0, 1.0, 0.0)))
    hard, soft = (np.array(light.diffuse(edge, (1.0, 1.0, 1.0), 1.0, wrap)) for wrap in ((0.0, 0.0, 0.0), (0.6, 0.0, 0.0)))
    assert soft[0] > hard[0] and soft[1:] == pytest.approx(hard[1:])
