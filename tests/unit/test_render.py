"""The software renderer: what a coefficient must do to the picture, and what it must not."""

import numpy as np
import pytest

from a2llm.avatar.drawable import srgb_to_linear
from a2llm.avatar.render import HeadRenderer, bone_matrices, load_scene, rotation
from a2llm.avatar.shading import encode_table
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

SIZE = 128


@pytest.fixture(scope="module")
def renderer() -> HeadRenderer:
    return HeadRenderer("woman", SIZE, SIZE)


def _draw(renderer: HeadRenderer, **values: float) -> np.ndarray:
    return renderer.render(ARKIT61.pose(values)).astype(int)


def _center(renderer: HeadRenderer, before: np.ndarray, **values: float) -> tuple[float, float, int]:
    """Place where a picture changed: row, column and number of pixels."""
    rows, columns = np.nonzero(np.abs(_draw(renderer, **values) - before).max(-1) > 12)
    return float(rows.mean()), float(columns.mean()), len(rows)


def test_picture_has_a_face_before_a_backdrop(renderer: HeadRenderer) -> None:
    picture = renderer.render(ARKIT61.pose({}))
    assert picture.shape == (SIZE, SIZE, 3) and picture.dtype == np.uint8
    red, _, blue = picture[SIZE // 2, SIZE // 2 - 10].astype(int)
    assert red > blue + 20  # skin
    red, _, blue = picture[4, 4].astype(int)
    assert blue > red  # wall


def test_same_face_gives_the_same_bytes(renderer: HeadRenderer) -> None:
    first = renderer.render(ARKIT61.pose({"jawOpen": 0.4}))
    renderer.render(ARKIT61.pose({"headYaw": 0.5, "eyeBlink": 1.0}))
    assert np.array_equal(first, renderer.render(ARKIT61.pose({"jawOpen": 0.4})))


def test_each_part_moves_where_it_should(renderer: HeadRenderer) -> None:
    neutral = _draw(renderer)
    blink_row, _, blink_count = _center(renderer, neutral, eyeBlink=1.0)
    jaw_row, _, jaw_count = _center(renderer, neutral, jawOpen=0.7)
    smile_row, _, smile_count = _center(renderer, neutral, mouthSmile=1.0)
    brow_row, _, brow_count = _center(renderer, neutral, browInnerUp=1.0, browOuterUp=1.0)
    assert min(blink_count, jaw_count, smile_count, brow_count) > 15
    assert brow_row < blink_row < smile_row and blink_row < jaw_row


def test_left_is_the_avatars_left(renderer: HeadRenderer) -> None:
    neutral = _draw(renderer)
    assert _center(renderer, neutral, eyeBlinkLeft=1.0)[1] > SIZE / 2 > _center(renderer, neutral, eyeBlinkRight=1.0)[1]


def test_an_open_mouth_is_dark_inside(renderer: HeadRenderer) -> None:
    mouth = (slice(SIZE // 2, int(SIZE * 0.7)), slice(int(SIZE * 0.44), int(SIZE * 0.56)))

    def dark_pixels(**values: float) -> int:
        return int((_draw(renderer, **values)[mouth].sum(-1) < 240).sum())

    assert dark_pixels(jawOpen=0.8) > dark_pixels() + 25


def test_closed_lids_hide_the_eyes() -> None:
    renderer = HeadRenderer("woman", SIZE, SIZE)
    names = [mesh.name for mesh in load_scene("woman").meshes]

    def eye_samples(**values: float) -> int:
        renderer.render(ARKIT61.pose(values))
        seen = renderer._seen[renderer._seen >= 0]
        return int((renderer._geometry.triangles[seen, 3] == names.index("Eyes")).sum())

    assert eye_samples() > 60
    assert eye_samples(eyeBlink=1.0) <= 4


def test_eye_rotations_are_left_to_the_gaze_morphs(renderer: HeadRenderer) -> None:
    neutral = _draw(renderer)
    assert np.array_equal(neutral, _draw(renderer, leftEyeYaw=0.4, rightEyePitch=0.3))
    assert not np.array_equal(neutral, _draw(renderer, eyeLookOutLeft=0.8, eyeLookInRight=0.8))


def test_rotation_signs_follow_the_rig() -> None:
    nose, left_ear = np.array([0, 0, 1.0]), np.array([1.0, 0, 0])
    assert (rotation(0.3, 0, 0) @ nose)[0] > 0  # yaw: to the avatar's left
    assert (rotation(0, 0.3, 0) @ nose)[1] < 0  # pitch: down
    assert (rotation(0, 0, 0.3) @ left_ear)[1] > 0  # roll: towards the right shoulder


def test_a_head_turn_is_shared_by_the_neck() -> None:
    skeleton = load_scene("woman").skeleton
    assert skeleton is not None
    bones = bone_matrices(skeleton, ARKIT61.pose({"headYaw": 0.6}))

    def yaw(name: str) -> float:
        matrix = bones[skeleton.index(name)]
        return float(np.arctan2(matrix[0, 2], matrix[0, 0]))

    assert yaw("neck01") == 0
    assert 0 < yaw("neck02") < yaw("neck03") < yaw("head")
    assert yaw("head") == pytest.approx(0.6, abs=1e-4)


@pytest.mark.parametrize(("width", "height", "supersample"), [(96, 64, 1), (64, 96, 3)])
def test_other_sizes_and_the_other_head(width: int, height: int, supersample: int) -> None:
    picture = HeadRenderer("man", width, height, supersample).render(ARKIT61.pose({"mouthSmile": 0.5}))
    assert picture.shape == (height, width, 3)
    assert picture.std() > 20


def test_refuses_what_it_cannot_draw(renderer: HeadRenderer) -> None:
    for coefs in (np.zeros(52), np.zeros((1, 61)), np.full(61, np.nan)):
        with pytest.raises(ValueError, match="61 finite"):
            renderer.render(coefs)
    with pytest.raises(ValueError, match="woman"):
        HeadRenderer("nobody")
    with pytest.raises(ValueError, match="16"):
        HeadRenderer("woman", 8, 8)


def test_extreme_coefficients_still_draw(renderer: HeadRenderer) -> None:
    wild = np.random.default_rng(0).uniform(-3, 3, ARKIT61.size).astype(np.float32)
    assert renderer.render(wild).shape == (SIZE, SIZE, 3)


def test_colour_tables_are_inverse() -> None:
    table = encode_table()
    steps = np.arange(256, dtype=np.float32)
    places = np.round(srgb_to_linear(steps / 255) * (len(table) - 1)).astype(int)
    assert np.abs(table[places] - steps).max() <= 1
