"""The report of a data set: one pass over its shards, numbers that add up, and pictures; and the picture of a curve."""

import json
from pathlib import Path

import numpy as np
import pytest

from a2llm.affect import AFFECTS
from a2llm.clock import FrameClock
from a2llm.data.report import Survey, describe, survey, write_report
from a2llm.data.shards import Utterance, write_shard
from a2llm.data.stages import SHARDS, TEXT, shards_of
from a2llm.recipes.curves import draw_curve, draw_curves
from a2llm.training.loop import CURVE, add_to_curve

PNG = b"\x89PNG"


def utterance(sample: int, affect: str, seconds: float, split: str = "train", f0_hz: float = 200.0) -> Utterance:
    clock = FrameClock()
    frames, units = int(seconds * clock.motion_hz), np.array([4, 0, 6])
    f0 = np.full(2 * frames, f0_hz, np.float32)
    f0[::4] = 0.0  # unvoiced in between
    return Utterance(
        *(sample, f"text {sample}", affect, 0.0 if affect == "neutral" else 0.8, split),
        *(np.array([5, 6, 7]), np.array([0, 0, 1]), units, np.zeros((frames // 2, 4), np.float32)),
        *(np.full((frames, 61), 0.25, np.float32), f0),
        *(np.zeros((2, 30), np.uint8), np.zeros((2, 5)), np.zeros(2, np.uint8)),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shards = tmp_path / SHARDS
    shards.mkdir()
    assert shards_of(tmp_path) == shards
    write_shard(shards / "speech-0000.npz", [utterance(0, "neutral", 3.0), utterance(1, "joy", 4.0)])
    write_shard(shards / "speech-0001.npz", [utterance(1, "joy", 2.0, split="test", f0_hz=400.0), utterance(2, "sadness", 0.5, f0_hz=0.0)])
    (tmp_path / TEXT).write_text("".join(json.dumps({"source": source}) + "\n" for source in ("dialogue", "dialogue", "drill")))
    return tmp_path


def test_numbers_add_up_over_all_shards(folder: Path) -> None:
    noted: list[tuple[int, int]] = []
    found = survey(folder, lambda done, all_: noted.append((done, all_)))
    report = describe(folder, found)
    assert noted == [(1, 2), (2, 2)]
    assert (report["utterances"], report["texts"], report["shards"]) == (4, 3, 2)
    assert report["hours"] == pytest.approx(9.5 / 3600, abs=1e-3)
    assert {name: group["utterances"] for name, group in report["affects"].items()} == dict.fromkeys(AFFECTS, 0) | {
        "neutral": 1,
        "joy": 2,
        "sadness": 1,
    }
    assert report["splits"]["test"]["utterances"] == 1 and report["sources"] == {"dialogue": 2, "drill": 1}
    assert report["affects"]["neutral"]["f0_median_hz"] == pytest.approx(200.0)
    json.dumps(report)


def test_what_is_not_voiced_has_no_pitch_and_a_phone_of_no_length_is_not_counted(folder: Path) -> None:
    found = survey(folder)
    silent = next(row for row in found.rows if row.affect == "sadness")
    assert np.isnan(silent.f0_median_hz) and np.isnan(silent.f0_std_st)
    assert found.phones == {5: 4, 7: 4}
    assert set(found.examples) == {"neutral", "joy"}, "half a second is no example"


def test_a_folder_without_speech_says_how_to_build_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no speech shards: run `a2 data build --out"):
        survey(tmp_path)


def test_a_survey_measures_semitones() -> None:
    found, made = Survey(), utterance(0, "joy", 3.0)
    made.f0_hz[: len(made.f0_hz) // 2] *= 2  # an octave up for half of it
    found.add(made, FrameClock())
    assert found.rows[0].f0_std_st == pytest.approx(6.0, abs=0.1)


def test_three_files_are_written_whole(folder: Path, tmp_path: Path) -> None:
    files = write_report(folder, tmp_path / "out")
    assert [file.name for file in files] == ["report.json", "overview.png", "motion.png"]
    assert json.loads(files[0].read_text())["utterances"] == 4
    assert all(file.read_bytes()[:4] == PNG for file in files[1:])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(file.name for file in files)


def test_every_curve_with_points_becomes_a_picture(tmp_path: Path) -> None:
    for step in range(0, 50, 10):
        add_to_curve(tmp_path, "talker", step, {"loss": 1 / (step + 1), "kappa": 0.5, "spent_s": 3.0})
    add_to_curve(tmp_path, "talker", 60, {"loss": 0.01, "held_out": 0.3})  # a figure that comes later
    (tmp_path / f"empty{CURVE}").touch()
    (picture,) = draw_curves(tmp_path)
    assert picture.name == "talker.curve.png" and picture.read_bytes()[:4] == PNG
    assert draw_curve(tmp_path / f"talker{CURVE}") == picture
