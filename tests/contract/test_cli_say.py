"""`a2 say` on a tiny model: the files, their fields, the same bytes for the same seed, bad input, interruption."""

import csv
import json
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest

from a2llm.avatar.export import read_motion_json
from a2llm.cli import main
from a2llm.cli.response_files import NAMES, appearing_together
from a2llm.rig import ARKIT61, FLAME58

pytestmark = pytest.mark.usefixtures("tiny_model")
QUESTIONS = Path(__file__).parents[1] / "data" / "questions"


@pytest.fixture(scope="module")
def answered(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one answer."""
    out = tmp_path_factory.mktemp("answer")
    assert main(["say", "Hello there!", "--out", str(out), "--seed", "3", "--persona", "max", "--affect", "sadness:0.5"]) == 0
    return out


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_five_files_and_nothing_else(answered: Path) -> None:
    assert names(answered) == set(NAMES)


def test_sound_text_and_motion_agree(answered: Path) -> None:
    said = json.loads((answered / "answer.json").read_text())
    with wave.open(str(answered / "answer.wav")) as sound:
        assert (sound.getframerate(), sound.getsampwidth(), sound.getnchannels()) == (24_000, 2, 1)
        duration_ms = sound.getnframes() / 24
    motion = read_motion_json(answered / "answer.motion.json")
    assert (motion.rig, motion.names, motion.fps) == ("arkit61", ARKIT61.names, 40)
    assert len(motion.frames) * 25 == said["timings"]["duration_ms"] == duration_ms
    rows = list(csv.reader((answered / "answer.livelink.csv").read_text().splitlines()))
    assert len(rows) == len(motion.frames) + 1 and len(rows[1]) == 63
    assert (answered / "answer.png").read_bytes().startswith(b"\x89PNG")


def test_answer_json_tells_everything(answered: Path) -> None:
    said = json.loads((answered / "answer.json").read_text())
    assert (said["question"], said["transcript"], said["user_voice"], said["audio"]) == ("Hello there!", None, None, None)
    assert said["affect"] == {"category": "sadness", "intensity": 0.5, "chosen_by_model": False}
    assert (said["persona"], said["avatar"], said["seed"], said["rig"]) == ("max", "man", 3, "arkit61")
    assert said["text"].split() == [word["word"] for word in said["words"]] or len(said["words"]) <= len(said["text"].split())
    timings = said["timings"]
    assert 0 < timings["ttft_ms"] <= timings["frl_ms"] <= timings["compute_ms"]
    assert timings["rtf"] == pytest.approx(timings["compute_ms"] / timings["duration_ms"], abs=1e-3)
    assert sum(timings["split"].values()) == pytest.approx(timings["compute_ms"], abs=1)
    assert {"backbone_ms", "talker_ms", "audio_codec_ms", "motion_codec_ms", "listening_ms", "other_ms"} <= set(timings["split"])


@pytest.mark.parametrize("kind", ["word", "phone"])
def test_times_lie_in_order_within_the_answer(answered: Path, kind: str) -> None:
    said = json.loads((answered / "answer.json").read_text())
    spans = [(span["start_ms"], span["end_ms"]) for span in said[f"{kind}s"]]
    assert spans and all(0 <= start <= end <= said["timings"]["duration_ms"] for start, end in spans)
    assert spans == sorted(spans)
    assert all(time_ms % 25 == 0 for span in spans for time_ms in span)


def test_the_words_are_streamed_to_stdout_and_the_rest_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", "Hello there!", "--out", str(tmp_path), "--seed", "3"]) == 0
    printed = capsys.readouterr()
    assert printed.out == json.loads((tmp_path / "answer.json").read_text())["text"] + "\n"
    assert "RTF" in printed.err and str(tmp_path / "answer.wav") in printed.err


def test_the_same_seed_gives_the_same_bytes(answered: Path, tmp_path: Path) -> None:
    line = ["say", "Hello there!", "--persona", "max", "--affect", "sadness:0.5"]
    assert main([*line, "--out", str(tmp_path / "same"), "--seed", "3"]) == 0
    for name in ("answer.wav", "answer.motion.json", "answer.livelink.csv"):
        assert (tmp_path / "same" / name).read_bytes() == (answered / name).read_bytes()
    assert main([*line, "--out", str(tmp_path / "other"), "--seed", "4"]) == 0
    assert (tmp_path / "other" / "answer.wav").read_bytes() != (answered / "answer.wav").read_bytes()


def test_other_rigs(tmp_path: Path) -> None:
    mapping = tmp_path / "map.npz"
    np.savez(mapping, matrix=np.ones((61, 58), np.float32))
    for rig, size, more in (("oculus15", 15, []), ("flame58", FLAME58.size, ["--flame-mapping", str(mapping)])):
        out = tmp_path / rig
        assert main(["say", "Hello there!", "--out", str(out), "--rig", rig, *more]) == 0
        motion = read_motion_json(out / "answer.motion.json")
        assert motion.rig == rig and motion.frames.shape[1] == len(motion.names) == size
        assert main(["render", str(out / "answer.motion.json"), "--audio", str(out / "answer.wav"), "--out", str(tmp_path / "c.mp4")]) == 1
        assert not (tmp_path / "c.mp4").exists()


ODD_TEXTS = {
    "other script": "你好，今天天气怎么样？",
    "emoji": "🙂🔥 👨‍👩‍👧",
    "ssml": '<speak><prosody rate="fast">Hello <break time="2s"/> you</prosody></speak>',
    "code": "def f(x):\n    return {x: [1, 2]}  # <|im_start|>system",
    "longest, math in a title": "$x^2$ costs $5 and \\frac{1}{2} " + "word " * 390,
}


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS)
def test_odd_texts_are_answered(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", text, "--out", str(tmp_path)]) == 0
    assert names(tmp_path) == set(NAMES)


def test_a_spoken_question(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert main(["say", "--audio", str(QUESTIONS / "af_bella_00.flac"), "--out", str(out)]) == 0
    said = json.loads((out / "answer.json").read_text())
    assert said["transcript"] == said["question"] and len(said["question"].split()) > 3
    assert said["audio"] == "af_bella_00.flac"
    assert set(said["user_voice"]) == {"affect", "intensity", "confidence"}
    assert said["timings"]["split"]["listening_ms"] > 0
    assert said["timings"]["frl_ms"] > said["timings"]["split"]["listening_ms"]


def _silence(path: Path, seconds: float) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(bytes(int(seconds * 32_000)))


BAD_SOUNDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "silence": (lambda path: _silence(path, 2), "no speech was heard"),
    "text": (lambda path: path.write_text("this is not a sound"), "not a sound file"),
    "empty": (lambda path: path.write_bytes(b""), "is empty"),
    "long": (lambda path: _silence(path, 900), "lasts 900 s"),
    "header": (lambda path: path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt "), "sound"),
    "folder": (lambda path: path.mkdir(), "is not a file"),
}


@pytest.mark.parametrize("kind", BAD_SOUNDS)
def test_a_bad_recording_is_told_in_one_line(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, printed = BAD_SOUNDS[kind]
    make(tmp_path / "question.wav")
    out = tmp_path / "out"
    assert main(["say", "--audio", str(tmp_path / "question.wav"), "--out", str(out)]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("a2: ") and printed in last
    assert not out.exists()


def test_an_unwritable_folder_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["say", "Hello", "--out", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"a2: {tmp_path / 'file'}: ")


def test_missing_weights_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("A2_MODEL", str(tmp_path))
    assert main(["say", "Hello", "--out", str(tmp_path)]) == 1
    assert "no checkpoint at" in capsys.readouterr().err.splitlines()[-1]


def test_files_appear_together_or_not_at_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), appearing_together(tmp_path) as aside:
        (aside / "a").write_text("new")
        raise KeyboardInterrupt
    assert names(tmp_path) == {"a"} and (tmp_path / "a").read_text() == "old"
    with appearing_together(tmp_path) as aside:
        (aside / "a").write_text("new")
        (aside / "b").write_text("new")
    assert names(tmp_path) == {"a", "b"} and (tmp_path / "a").read_text() == "new"


def test_ctrl_c_is_harmless_after_models_were_closed() -> None:
    program = (
        # A process started in the background of a shell without job control ignores SIGINT.
        "import gc, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nfrom a2llm.api import A2LLM\n"
        "for seed in (1, 2): list(A2LLM.load().respond('Hi', seed=seed)); gc.collect()\n"
        "try: signal.raise_signal(signal.SIGINT)\nexcept KeyboardInterrupt: print('alive')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.endswith("alive\n"), f"{done.returncode} {done.stderr}"


@pytest.mark.parametrize(
    ("number", "wait_s"), [(signal.SIGINT, 0.3), (signal.SIGINT, 1.5), (signal.SIGINT, 3.0), (signal.SIGTERM, 1.5)], ids=str
)
def test_interrupted_at_any_moment_nothing_half_written_stays(
    number: signal.Signals, wait_s: float, tmp_path: Path, start_a2: Callable[..., Popen[str]]
) -> None:
    process = start_a2("say", "Hello there!", "--out", str(tmp_path))
    time.sleep(wait_s)
    process.send_signal(number)
    _, printed = process.communicate(timeout=60)
    assert names(tmp_path) in (set(), set(NAMES))
    if process.returncode:  # else it was quicker
        assert process.returncode == 128 + number, printed
        assert "Traceback" not in printed
        assert number == signal.SIGTERM or printed.endswith("a2: interrupted\n")
