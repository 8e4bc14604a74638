"""Vertices to pixels: morphs, bones, projection and the z-buffer, on triangles that can be worked out by hand."""

import numpy as np
import pytest

from a2llm.avatar import raster
from a2llm.avatar.drawable import CUTOFF, KIND, LASH, TEXEL_HEIGHT, TEXEL_START, TEXEL_WIDTH
from a2llm.head.scene import Mesh, Scene, Skeleton

TABLE_COLUMNS = max(CUTOFF, KIND, TEXEL_HEIGHT, TEXEL_START, TEXEL_WIDTH) + 8


def vertices(*places: tuple[float, float, float]) -> np.ndarray:
    made = np.zeros((len(places), raster.COLUMNS), np.float32)
    made[:, raster.POSITION : raster.POSITION + 3] = places
    made[:, raster.NORMAL : raster.NORMAL + 3] = (0, 0, 1)
    return made


def seen(screen: np.ndarray, triangles: list[list[int]], classes: list[int] | None = None, size: int = 8) -> np.ndarray:
    """Returns the triangle that each pixel sees; screen [V, 3]: x, y, nearness."""
    points = np.zeros((len(screen), raster.COLUMNS), np.float32)
    points[:, :3] = screen
    depth, out = np.zeros((size, size), np.float32), np.zeros((size, size), np.int32)
    rows = np.array([[*t, 0, 1] for t in triangles], np.int32)
    table, texels = np.zeros((1, TABLE_COLUMNS), np.float32), np.ones((1, 4), np.float32)
    raster.rasterize(rows, np.array(classes or [raster.OPAQUE] * len(rows), np.int32), points, table, texels, 1, depth, out)
    return out


NEAR = [(0.0, 0.0, 2.0), (8.0, 0.0, 2.0), (0.0, 8.0, 2.0)]
FAR = [(0.0, 0.0, 1.0), (8.0, 0.0, 1.0), (0.0, 8.0, 1.0), (8.0, 8.0, 1.0)]


def test_a_triangle_covers_its_half_of_the_square() -> None:
    made = seen(np.array(NEAR), [[0, 1, 2]])
    inside = np.add.outer(np.arange(8), np.arange(8)) < 7  # pixel centres
    assert (made[inside] == 0).all() and (made[np.add.outer(np.arange(8), np.arange(8)) > 7] == -1).all()


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_of_two_wins_whichever_comes_first(order: tuple[int, int]) -> None:
    triangles = [[0, 1, 2], [3, 4, 5]]
    made = seen(np.array([*NEAR, *FAR[:3]]), [triangles[i] for i in order])
    assert set(made[made >= 0]) == {order.index(0)}


def test_blended_triangles_are_left_to_the_veil() -> None:
    assert (seen(np.array(NEAR), [[0, 1, 2]], [raster.BLENDED]) == -1).all()


def test_a_morph_moves_by_its_coefficient() -> None:
    rest, out = vertices((0, 0, 0), (1, 0, 0)), vertices((9, 9, 9), (9, 9, 9))
    delta = np.zeros((1, 6), np.float32)
    delta[0, :3] = (0, 2, 0)
    raster.morph(np.array([0, 1], np.int32), np.array([1], np.int32), delta, np.array([0.5], np.float32), rest, out)
    assert out[0, 3:6].tolist() == [0, 0, 0] and out[1, 3:6].tolist() == [1, 1, 0]


def test_bones_move_by_their_weights_and_turn_normals_without_moving_them() -> None:
    out = vertices((1, 0, 0))
    still = np.eye(3, 4, dtype=np.float32)
    moved = still.copy()
    moved[:, 3] = (4, 0, 0)
    raster.skin(np.array([[0, 1, 0, 0]], np.int32), np.array([[0.75, 0.25, 0, 0]], np.float32), np.stack([still, moved]), out)
    assert out[0, 3:6].tolist() == [2, 0, 0] and out[0, raster.NORMAL : raster.NORMAL + 3].tolist() == [0, 0, 1]


def test_what_is_farther_is_smaller_and_less_near() -> None:
    points = vertices((1, 1, 0), (1, 1, -2))
    raster.project(points, np.array([0, 0, 2], np.float32), 100.0, 50.0, 50.0)
    np.testing.assert_allclose(points[:, :3], [(100, 0, 0.5), (75, 25, 0.25)])


def test_classes_follow_the_texels_in_a_triangle_s_reach() -> None:
    table = np.zeros((3, TABLE_COLUMNS), np.float32)
    table[1, CUTOFF], table[2, KIND] = 0.5, LASH
    table[:, TEXEL_WIDTH], table[:, TEXEL_HEIGHT] = 1, 8
    texels = np.ones((8, 4), np.float32)
    texels[6:, 3] = 0.1  # holes below
    points = vertices(*[(0, 0, 0)] * 6)
    points[:3, raster.UV + 1], points[3:, raster.UV + 1] = (0.0, 0.1, 0.2), (0.7, 0.8, 0.9)
    triangles = np.array([[0, 1, 2, 0, 0], [0, 1, 2, 1, 0], [3, 4, 5, 1, 0], [0, 1, 2, 2, 0]], np.int32)
    wanted = [raster.OPAQUE, raster.OPAQUE, raster.ALPHA_TESTED, raster.BLENDED]
    assert raster.alpha_classes(triangles, points, table, texels).tolist() == wanted


def test_a_scene_names_what_it_has() -> None:
    none = np.zeros((0, 3), np.float32)

    def mesh(name: str, *morphs: str) -> Mesh:
        return Mesh(name, none, none, None, None, none.astype(np.int32), None, None, morphs, np.zeros((len(morphs), 0, 3)), None, None)

    scene = Scene((mesh("face", "jawOpen", "browUp"), mesh("teeth", "jawOpen")), None)
    assert scene.mesh("teeth").name == "teeth" and scene.morph_names == ("browUp", "jawOpen")
    with pytest.raises(ValueError, match=r"no mesh 'hat'; the file has \['face', 'teeth'\]"):
        scene.mesh("hat")
    bones = np.zeros((2, 4, 4), np.float32)
    skeleton = Skeleton(("root", "head"), np.array([-1, 0]), bones, bones, (0, 1))
    assert skeleton.index("head") == 1
    with pytest.raises(ValueError):
        skeleton.index("tail")
