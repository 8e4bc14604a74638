"""The teacher's figures on synthetic clips: right for a face that follows the teacher, wrong for one that does not."""

from dataclasses import replace

import numpy as np
import pytest

from a2llm.evaluation import teacher
from a2llm.evaluation.real_clips import RealClip, SpokenWord
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

HEAD = HeadGeometry.load()
TEXTS = ("bˈɑb wˈi", "mˈOst ˈæt", "pˈu ˈIf")


def _clip(index: int, lag_frames: int = 0) -> RealClip:
    """Somebody whose face does exactly what the teacher says, `lag_frames` camera frames later."""
    phones = f" {TEXTS[index]} "
    durations = np.array([20 if p == " " and i in (0, len(phones) - 1) else 2 if p in " ˈ" else 6 for i, p in enumerate(phones)])
    owners = np.clip(np.cumsum([p == " " for p in phones]) - 1, 0, 1)
    units = int(durations.sum())
    edge = int(durations[: phones.rindex(" ", 0, len(phones) - 1)].sum()) / 40
    words = (SpokenWord("two", 0.5, edge), SpokenWord("else", edge, units / 40 - 0.5))
    loud = np.repeat([-50.0 if p == " " else -20.0 for p in phones], 2 * durations)
    blank = np.zeros(units * 25 // 40)
    clip = RealClip(str(index), words, phones, durations, owners, loud, 25.0, blank, blank, blank, np.zeros((len(blank), 3)))
    held = teacher.hold(clip, HEAD, index)
    curves = {name: np.roll(track, lag_frames) for name, track in held.curves.items()}
    return replace(clip, jaw=curves["jaw"], gap_mm=curves["gap"] * 2, width_mm=curves["width"])


def _held(lag_frames: int = 0) -> list[teacher.Held]:
    return [teacher.hold(_clip(index, lag_frames), HEAD, index) for index in range(len(TEXTS))]


def test_a_face_that_follows_the_teacher_has_every_correlation_and_its_floors_are_lower() -> None:
    figures = teacher.lip_figures(_held())
    for key in ("real_jaw_correlation", "real_lip_correlation", "real_width_correlation"):
        assert figures[key] == pytest.approx(1) and figures[f"{key}_all_words"] == pytest.approx(1)
        assert figures[f"{key}_other_sentence"] < 0.8
    assert figures["real_jaw_correlation_loudness_alone"] < 0.9
    assert figures["real_gap_error_mm"] > 0.3 > figures["real_width_error_mm"], "twice the gap is an error, though it correlates"


def test_a_late_face_is_found() -> None:
    on_time, late = _held(), _held(2)
    assert teacher.lag_ms(on_time, HEAD) == 0 and teacher.lag_ms(late, HEAD) == 75
    assert teacher.lip_figures(late)["real_jaw_correlation"] < 0.9
    a, b = teacher.closures_ms(on_time), teacher.closures_ms(late)
    assert a["closures"] == 4 and abs(a["real_closure_ms"] - a["teacher_closure_ms"]) < 20 < b["real_closure_ms"] - a["real_closure_ms"]


def test_head_speed_and_gaze_are_read_in_degrees() -> None:
    turning = np.stack([np.radians(np.arange(80) * 30 / 40), np.zeros(80), np.zeros(80)], axis=1)
    speed = teacher.head_speed([turning], 40, "head")
    assert speed["head_p50"] == pytest.approx(30) == speed["head_p90"]
    motion = np.zeros((100, 61))
    motion[:25, ARKIT61.indices("leftEyeYaw")] = 0.2
    motion[25:50, ARKIT61.indices("headYaw")] = 0.2
    motion[50:75, ARKIT61.indices("headYaw")] = 0.2
    motion[50:75, ARKIT61.indices("leftEyeYaw")] = -0.2
    assert teacher.conversation_figures([motion])["gaze_away_share_pct"] == 50, "a head that turns under steady eyes is not looking away"


def test_without_movement_there_is_no_correlation() -> None:
    assert teacher.correlation(np.ones(9), np.arange(9.0)) == 0
