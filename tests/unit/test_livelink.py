"""The answer's files: WAV, motion JSON, Live Link Face CSV; whole or absent."""

import csv
import json
import wave
from pathlib import Path

import numpy as np
import pytest

from a2llm.avatar.export import read_motion_json, write_livelink_csv, write_motion_json
from a2llm.files import replacing
from a2llm.rig import ARKIT61
from a2llm.wav_files import write_wav

pytestmark = pytest.mark.unit


def _motion(frames: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 1, (frames, ARKIT61.size)).astype(np.float32)


def test_csv_has_the_layout_of_the_app(tmp_path: Path) -> None:
    motion = _motion(85)
    write_livelink_csv(tmp_path / "a.csv", motion, 40)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:4] == ["Timecode", "BlendShapeCount", "EyeBlinkLeft", "EyeLookDownLeft"]
    assert rows[0][53:57] == ["TongueOut", "HeadYaw", "HeadPitch", "HeadRoll"]
    assert rows[0][-1] == "RightEyeRoll"
    assert {len(row) for row in rows} == {63} and {row[1] for row in rows[1:]} == {"61"}
    assert np.allclose(np.array([row[2:] for row in rows[1:]], float), motion, atol=1e-6)
    assert [rows[1 + i][0] for i in (0, 39, 40, 84)] == [
        "00:00:00:00.000",
        "00:00:00:39.000",
        "00:00:01:00.000",
        "00:00:02:04.000",
    ]


@pytest.mark.parametrize("fps", [29.97, 59.94, 12.5, 60])
def test_timecodes_never_run_backwards(tmp_path: Path, fps: float) -> None:
    write_livelink_csv(tmp_path / "a.csv", np.zeros((400, 61), np.float32), fps)
    codes = [line.split(",")[0] for line in (tmp_path / "a.csv").read_text().splitlines()[1:]]
    assert codes == sorted(codes) and len(set(codes)) == 400


def test_motion_json_round_trip(tmp_path: Path) -> None:
    motion = _motion(3)
    write_motion_json(tmp_path / "a.json", motion, 40)
    document = json.loads((tmp_path / "a.json").read_text())
    assert list(document) == ["rig", "names", "fps", "frames"]
    assert document["names"] == list(ARKIT61.names) and document["fps"] == 40
    assert max(len(str(v)) for v in document["frames"][0]) <= 6
    read = read_motion_json(tmp_path / "a.json")
    assert read.rig == "arkit61" and read.frames.dtype == np.float32
    assert np.allclose(read.frames, motion, atol=5.1e-5)


def test_motion_json_of_other_rigs_and_of_nothing(tmp_path: Path) -> None:
    write_motion_json(tmp_path / "a.json", np.zeros((2, 2)), 20, rig="pair", names=("a", "b"))
    assert read_motion_json(tmp_path / "a.json").names == ("a", "b")
    write_motion_json(tmp_path / "b.json", np.zeros((0, 61)), 40)
    assert read_motion_json(tmp_path / "b.json").frames.shape == (0, 61)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '{"rig": "x", "names": ["a"], "fps": 40, "frames": [[1, 2]]}',
        '{"rig": "x", "names": ["a", "b"], "fps": 40, "frames": [[1, 2], [3]]}',
        '{"rig": "x", "names": ["a"], "fps": 0, "frames": [[1]]}',
        '{"rig": "x", "names": ["a"], "fps": 40, "frames": [[NaN]]}',
    ],
)
def test_broken_motion_files_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(ValueError, match=r"motion|fps"):
        read_motion_json(tmp_path / "bad.json")


def test_wav_is_pcm16_and_clips(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", np.array([0, 0.5, 2, -2], np.float32))
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        assert np.frombuffer(file.readframes(4), "<i2").tolist() == [0, 16384, 32767, -32768]


def test_bad_values_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="finite"):
        write_wav(tmp_path / "a.wav", np.array([np.nan]))
    with pytest.raises(ValueError, match="finite"):
        write_motion_json(tmp_path / "a.json", np.full((1, 61), np.inf), 40)
    with pytest.raises(ValueError, match="61"):
        write_livelink_csv(tmp_path / "a.csv", np.zeros((2, 15)), 40)
    assert not list(tmp_path.iterdir())


def test_replacing_keeps_the_old_file_until_the_new_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "a.txt"
    with replacing(target) as temporary:
        temporary.write_text("one")
        assert not target.exists()
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:
        temporary.write_text("tw")
        raise KeyboardInterrupt
    assert target.read_text() == "one" and len(list(target.parent.iterdir())) == 1
