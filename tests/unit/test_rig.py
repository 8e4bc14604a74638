"""The layouts: order, names, groups, and retargeting."""

import numpy as np
import pytest

from a2llm.rig import ARKIT61, FLAME58, LIVE_LINK_NAMES, OCULUS15, get_rig, load_flame_mapping, retarget

pytestmark = pytest.mark.unit


def test_arkit61_is_live_links_order():
    assert ARKIT61.size == len(set(ARKIT61.names)) == 61
    assert LIVE_LINK_NAMES[:3] == ("EyeBlinkLeft", "EyeLookDownLeft", "EyeLookInLeft")
    assert LIVE_LINK_NAMES[14:19] == ("JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose")
    assert LIVE_LINK_NAMES[49:55] == ("NoseSneerLeft", "NoseSneerRight", "TongueOut", "HeadYaw", "HeadPitch", "HeadRoll")
    assert LIVE_LINK_NAMES[-1] == "RightEyeRoll"


def test_flame58_and_oculus15_sizes():
    assert FLAME58.size == 58 and len(FLAME58.group("expression")) == 50
    assert OCULUS15.names[0] == "sil" and OCULUS15.size == 15


def test_groups_cover_the_face():
    assert set(ARKIT61.group("mouth")) | set(ARKIT61.group("not_mouth")) == set(range(61))
    assert [ARKIT61.names[i] for i in ARKIT61.group("head")] == ["headYaw", "headPitch", "headRoll"]
    assert len(ARKIT61.group("brows")) == 5 and len(ARKIT61.group("blendshapes")) == 52


@pytest.mark.parametrize("call", [lambda: ARKIT61.index("jaw"), lambda: ARKIT61.group("ears"), lambda: get_rig("arkit")])
def test_unknown_names_are_refused(call):
    with pytest.raises(ValueError, match=r"jaw|ears|arkit61"):
        call()


def test_pose_spreads_a_stem_to_both_sides():
    pose = ARKIT61.pose({"mouthSmile": 0.5, "jawOpen": 0.2})
    assert pose.sum() == pytest.approx(1.2) and pose[ARKIT61.index("mouthSmileRight")] == 0.5


def test_oculus_weights_are_a_mixture_and_find_the_viseme():
    frames = np.stack([ARKIT61.pose({}), ARKIT61.pose({"jawOpen": 0.6, "mouthLowerDown": 0.25, "mouthUpperUp": 0.1})])
    weights = retarget(frames, "oculus15")
    assert weights.shape == (2, 15) and (weights >= 0).all()
    assert np.allclose(weights.sum(1), 1, atol=1e-5)
    assert weights[0, OCULUS15.index("sil")] == 1 and weights[1, OCULUS15.index("aa")] > 0.85


def test_flame_needs_a_mapping(tmp_path):
    frames = np.random.default_rng(0).random((4, 61), np.float32)
    with pytest.raises(ValueError, match="load_flame_mapping"):
        retarget(frames, "flame58")
    matrix = np.eye(61, 58, dtype=np.float32)
    np.savez(tmp_path / "map.npz", matrix=matrix)
    assert np.array_equal(retarget(frames, "flame58", load_flame_mapping(tmp_path / "map.npz")), frames[:, :58])
    np.savez(tmp_path / "bad.npz", matrix=matrix.T)
    with pytest.raises(ValueError, match="61, 58"):
        load_flame_mapping(tmp_path / "bad.npz")


def test_wrong_width_is_refused():
    with pytest.raises(ValueError, match="61"):
        retarget(np.zeros((3, 52), np.float32), "oculus15")
