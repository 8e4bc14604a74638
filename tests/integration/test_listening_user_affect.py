"""How the user sounds: voices the head never heard, coloured as it was trained (synthetic labels)."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from a2llm.affect import AFFECTS, Affect
from a2llm.listening.features import FEATURES
from a2llm.listening.user_affect import DEFAULT_WEIGHTS, STRANGER, UserAffect, Usual, head_layout
from a2llm.sound_files import read_audio

pytestmark = pytest.mark.integration
QUESTIONS = Path(__file__).parents[1] / "data" / "questions"
ROWS = json.loads((QUESTIONS / "questions.json").read_text())


@pytest.fixture(scope="module")
def head() -> UserAffect:
    return UserAffect()


def test_affects_of_unheard_voices(head: UserAffect):
    readings = [head.read(read_audio(QUESTIONS / row["file"]).pcm) for row in ROWS]
    likeliest = [AFFECTS[int(reading.probabilities.argmax())] for reading in readings]
    assert np.mean([guess == row["affect"] for guess, row in zip(likeliest, ROWS, strict=True)]) > 0.4  # chance is 0.2
    opposite = [{reading.affect.category, row["affect"]} == {"joy", "sadness"} for reading, row in zip(readings, ROWS, strict=True)]
    assert np.mean(opposite) < 0.06


def test_the_usual_voice_is_a_mean_weighted_by_neutrality():
    ones = np.ones(len(FEATURES), np.float32)
    usual = STRANGER.after(ones, 0.25)
    assert not usual.known and STRANGER.weight == 0
    usual = usual.after(4 * ones, 0.5)
    assert usual.known and usual.mean == pytest.approx(3 * ones)
    for _ in range(20):
        usual = usual.after(ones, 1.0)
    assert usual.weight <= 8 and usual.mean == pytest.approx(ones, abs=0.2)


def test_following_a_speaker_changes_the_reading(head: UserAffect):
    pcm = read_audio(QUESTIONS / ROWS[0]["file"]).pcm
    first, usual = head.follow(pcm, STRANGER)
    second, _ = head.follow(pcm, Usual(usual.mean, 1.0))
    assert usual.weight == pytest.approx(float(first.probabilities[0]))
    assert not np.allclose(first.probabilities, second.probabilities)


def test_the_head_is_small_and_says_what_it_is():
    from safetensors import safe_open

    assert sum(array.size for array in load_file(DEFAULT_WEIGHTS).values()) < 100_000
    with safe_open(str(DEFAULT_WEIGHTS), framework="numpy") as file:
        assert "synthetic" in file.metadata()["labels"]


def test_it_is_quick(head: UserAffect):
    pcm = np.resize(read_audio(QUESTIONS / ROWS[0]["file"]).pcm, 64_000)
    times_ms = []
    for _ in range(7):
        started = time.perf_counter()
        head.read(pcm)
        times_ms.append((time.perf_counter() - started) * 1000)
    assert min(times_ms) < 60  # 13 ms on an idle core


@pytest.mark.parametrize("pcm", [np.zeros(0), np.zeros(4_000), np.zeros(32_000)])
def test_nothing_to_go_by_is_neutral(head: UserAffect, pcm: np.ndarray):
    assert head.read(pcm.astype(np.float32)).affect == Affect()


def test_an_unsure_head_is_neutral():
    never = UserAffect(sure=1.1)
    assert never.read(read_audio(QUESTIONS / ROWS[9]["file"]).pcm).affect == Affect()


def test_weights_of_another_layout_are_refused(tmp_path: Path):
    path = tmp_path / "other.safetensors"
    layout = head_layout() | {"features": ["one"]}
    save_file({"w0": np.zeros(1, np.float32)}, str(path), {"layout": json.dumps(layout)})
    with pytest.raises(ValueError, match="train them again"):
        UserAffect(path)
