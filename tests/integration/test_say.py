"""`a2` with the weights that ship: a typed and a spoken question, every kind of sound file, a film, a talk."""

import io
import json
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from a2llm.cli import main
from a2llm.engine import Parts
from a2llm.pcm16 import from_pcm16

ROOT = Path(__file__).parents[2]
QUESTION = ROOT / "tests" / "data" / "questions" / "am_eric_02.flac"
FILES = {"answer.wav", "answer.json", "answer.motion.json", "answer.livelink.csv", "answer.png"}


@pytest.fixture
def loaded(shipped_parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands in this process need not load the model again."""
    monkeypatch.setattr("a2llm.cli.opening.load_parts", lambda *_: shipped_parts)


def said_in(folder: Path) -> dict[str, object]:
    return json.loads((folder / "answer.json").read_text())


@pytest.fixture(scope="module")
def response(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of one typed question."""
    out = tmp_path_factory.mktemp("answer")
    command = [sys.executable, "-m", "a2llm.cli", "say", "Can you help me relax after work?", "--out", out, "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == said_in(out)["text"]
    return out


def words(text: str) -> set[str]:
    return {"".join(c for c in word if c.isalpha()) for word in text.lower().split()} - {""}


def test_a_typed_question_is_answered_in_words_that_can_be_heard(response: Path) -> None:
    from a2llm.listening.transcriber import Transcriber
    from a2llm.sound_files import read_audio

    assert {file.name for file in response.iterdir()} == FILES
    text = str(said_in(response)["text"])
    assert 4 <= len(text.split()) <= 70 and text[0].isupper() and text.rstrip()[-1] in ".!?"
    heard = Transcriber(threads=1).transcribe(read_audio(response / "answer.wav").pcm).text
    assert len(words(heard) & words(text)) >= 0.7 * len(words(text)), f"said {text!r}, heard {heard!r}"


def test_it_speaks_and_moves(response: Path) -> None:
    from a2llm.avatar.export import read_motion_json
    from a2llm.rig import ARKIT61

    motion = read_motion_json(response / "answer.motion.json").frames
    with wave.open(str(response / "answer.wav")) as sound:
        pcm = from_pcm16(sound.readframes(sound.getnframes()))
    assert len(pcm) == 600 * len(motion)
    assert 0.01 < np.sqrt(np.mean(pcm**2)) < 0.5 and np.abs(pcm).max() > 0.05
    assert motion[:, ARKIT61.index("jawOpen")].std() > 0.02
    blendshapes = motion[:, ARKIT61.group("blendshapes")]
    assert blendshapes.min() > -0.3 and blendshapes.max() < 1.3
    timings = said_in(response)["timings"]
    assert isinstance(timings, dict) and timings["rtf"] > 0 and timings["frl_ms"] > 0  # how fast: `a2 bench`


@pytest.mark.usefixtures("loaded")
def test_the_same_seed_gives_the_same_answer_in_another_process(response: Path, tmp_path: Path) -> None:
    assert main(["say", "Can you help me relax after work?", "--out", str(tmp_path), "--seed", "1"]) == 0
    for name in ("answer.wav", "answer.motion.json"):
        assert (tmp_path / name).read_bytes() == (response / name).read_bytes()


@pytest.mark.usefixtures("loaded")
def test_a_spoken_question_is_understood_and_answered(tmp_path: Path) -> None:
    assert main(["say", "--audio", str(QUESTION), "--out", str(tmp_path), "--persona", "max"]) == 0
    said = said_in(tmp_path)
    truth = json.loads((QUESTION.parent / "questions.json").read_text())
    asked = next(entry["text"] for entry in truth if entry["file"] == QUESTION.name)
    assert len(words(str(said["transcript"])) & words(asked)) >= 0.7 * len(words(asked))
    assert said["persona"] == "max" and said["text"]


def _encode(path: Path, rate_hz: int, layout: str, codec: str, sample_format: str) -> None:
    """The question in another wrapping."""
    import av

    with av.open(str(QUESTION)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream(codec, rate=rate_hz, layout=layout, format=sample_format)
        resampler = av.AudioResampler(format=sample_format, layout=layout, rate=rate_hz)
        for frame in [*source.decode(audio=0), None]:
            for part in resampler.resample(frame):
                target.mux(stream.encode(part))
        target.mux(stream.encode(None))


SOUNDS: dict[str, Callable[[Path], None]] = {
    "8 kHz stereo.wav": lambda path: _encode(path, 8_000, "stereo", "pcm_s16le", "s16"),
    "44.1 kHz 24 bit.wav": lambda path: _encode(path, 44_100, "mono", "pcm_s24le", "s32"),
    "mp3.mp3": lambda path: _encode(path, 44_100, "mono", "mp3", "s16p"),
}


@pytest.fixture(scope="module")
def listener() -> Any:
    from a2llm.listening.listener import Listener

    return Listener(threads=1)


@pytest.mark.parametrize("name", SOUNDS)
def test_sound_files_of_every_kind_are_understood(name: str, listener: Any, tmp_path: Path) -> None:
    from a2llm.cli.hearing import hear

    SOUNDS[name](tmp_path / name)
    question = hear(str(tmp_path / name), listener)
    plain = hear(str(QUESTION), listener)
    assert len(words(question.text) & words(plain.text)) >= 0.6 * len(words(plain.text))


@pytest.mark.usefixtures("loaded")
def test_noise_is_not_taken_for_speech(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from a2llm.wav_files import write_wav

    write_wav(tmp_path / "noise.wav", np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32))
    assert main(["say", "--audio", str(tmp_path / "noise.wav"), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("a2: no ")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("loaded")
def test_a_truncated_recording_is_answered_or_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _encode(tmp_path / "whole.wav", 16_000, "mono", "pcm_s16le", "s16")
    (tmp_path / "cut.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:30])
    assert main(["say", "--audio", str(tmp_path / "cut.wav"), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("a2: cut.wav")


def test_a_film_of_the_answer(response: Path, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    files = map(str, (response / "answer.motion.json", "--audio", response / "answer.wav", "--out", clip))
    assert main(["render", *files, "--size", "128", "--fps", "10"]) == 0
    assert clip.stat().st_size > 10_000


@pytest.mark.usefixtures("loaded")
def test_a_conversation_goes_on_and_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"Hi, my name is Anna.\nI just passed my exam!\n/save {tmp_path}\n"))
    assert main(["chat", "--no-voice"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("ada › ") == 2 and printed.count("TTFA") == 2
    assert {file.name for file in tmp_path.iterdir()} == FILES
