"""The face while nobody speaks, as the service gives it out."""

import numpy as np
import pytest

from a2llm.clock import FrameClock
from a2llm.language.chat import personas
from a2llm.messages import IdleRequest, RigUnavailable
from a2llm.motion_stream import to_f16
from a2llm.rig import ARKIT61, OCULUS15
from a2serve.inference.face import idle_motion
from a2serve.inference.model import Facts

FACTS = Facts("test", FrameClock(), 2048, personas())


def frames(request: IdleRequest, size: int = ARKIT61.size) -> np.ndarray:
    motion = idle_motion(request, FACTS)
    return np.frombuffer(motion.values_f16, "<f2").astype(np.float32).reshape(motion.frames, size)


def test_two_calls_join_without_a_seam():
    def piece(first: int, count: int) -> np.ndarray:
        return frames(IdleRequest("s", "listening", first, count, motion_hz=30, nod_frames=(10,), seed=5))

    whole = piece(0, 60)
    np.testing.assert_array_equal(np.concatenate([piece(0, 25), piece(25, 35)]), whole)
    assert np.abs(np.diff(whole[:, ARKIT61.group("head")], axis=0)).max() < 0.05
    assert np.ptp(whole, axis=0).max() > 0.01


def test_a_cut_face_comes_to_rest():
    start = ARKIT61.pose({"jawOpen": 0.6, "headYaw": 0.2})
    back = frames(IdleRequest("s", "return", motion_hz=60, start_f16=to_f16(start)))
    assert 12 <= len(back) <= 18
    np.testing.assert_allclose(back[-1], 0, atol=1e-6)
    assert (np.diff(back[:, ARKIT61.index("jawOpen")]) <= 0).all()
    mouth = OCULUS15.pose({"aa": 1.0})
    visemes = frames(IdleRequest("s", "return", motion_hz=30, rig="oculus15", start_f16=to_f16(mouth)), OCULUS15.size)
    assert visemes[-1][OCULUS15.index("sil")] == 1


def test_bad_requests_are_refused():
    for bad in (
        IdleRequest("s", "idle", motion_hz=24, frames=1),
        IdleRequest("s", "idle", motion_hz=30, frames=301),
        IdleRequest("s", "idle", motion_hz=30, frames=1, rig="x"),
        IdleRequest("s", "return", motion_hz=30),
    ):
        with pytest.raises(ValueError, match=r"must|most|unknown|bytes"):
            idle_motion(bad, FACTS)
    with pytest.raises(RigUnavailable):
        idle_motion(IdleRequest("s", "idle", motion_hz=30, frames=1, rig="flame58"), FACTS)
