"""`a2 render`: the files that it reads, writes and refuses."""

import json
from pathlib import Path

import numpy as np
import pytest

from a2llm.avatar.export import write_motion_json
from a2llm.cli import main
from a2llm.wav_files import write_wav


@pytest.fixture
def response(tmp_path: Path) -> Path:
    """A folder with half a second of sound and motion."""
    motion = np.zeros((20, 61), np.float32)
    write_motion_json(tmp_path / "answer.motion.json", motion, 40)
    write_wav(tmp_path / "answer.wav", np.zeros(12_000, np.float32))
    return tmp_path


def render(response: Path, *more: str) -> int:
    files = [str(response / "answer.motion.json"), "--audio", str(response / "answer.wav"), "--out", str(response / "clip.mp4")]
    return main(["render", *files, "--size", "32", *more])


def test_a_clip_is_rendered(response: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    assert render(response, "--fps", "10", "--avatar", "man") == 0
    assert capsys.readouterr().out == f"{response / 'clip.mp4'}\n"
    with av.open(str(response / "clip.mp4")) as clip:
        assert (clip.streams.video[0].width, clip.streams.video[0].frames) == (32, 5)


def test_only_arkit61_is_rendered(response: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads((response / "answer.motion.json").read_text())
    document |= {"rig": "oculus15", "names": ["sil"], "frames": [[1.0]]}
    (response / "answer.motion.json").write_text(json.dumps(document))
    assert render(response) == 1
    assert "only arkit61 can be rendered" in capsys.readouterr().err
    assert not (response / "clip.mp4").exists()


BROKEN = {
    "motion": (lambda folder: (folder / "answer.motion.json").write_text("{}"), "not a motion file"),
    "sound": (lambda folder: (folder / "answer.wav").write_text("text"), "answer.wav"),
    "no sound": (lambda folder: (folder / "answer.wav").unlink(), "answer.wav"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_cost_one_line(kind: str, response: Path, capsys: pytest.CaptureFixture[str]) -> None:
    breaks, printed = BROKEN[kind]
    breaks(response)
    assert render(response) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("a2: ") and printed in last
    assert not (response / "clip.mp4").exists()


def test_an_unknown_avatar_costs_one_line(response: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render(response, "--avatar", "robot") == 1
    assert "choose one of man, woman" in capsys.readouterr().err.splitlines()[-1]
