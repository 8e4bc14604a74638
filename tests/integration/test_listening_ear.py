"""The real ear on spoken questions: words, bad recordings, hearing while the user speaks."""

import json
import re
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.models import tiny

from a2llm.affect import AFFECTS
from a2llm.api import A2LLM
from a2llm.engine import Engine
from a2llm.language.chat import find_persona
from a2llm.listening.listener import Listener
from a2llm.listening.vad import NoSpeechError
from a2llm.sound_files import AudioClip, AudioInputError, read_audio
from a2serve.inference.model import load_listener
from a2serve.inference.settings import InferenceSettings

pytestmark = pytest.mark.integration
QUESTIONS = Path(__file__).parents[1] / "data" / "questions"
ROWS = json.loads((QUESTIONS / "questions.json").read_text())
CHOSEN = ROWS[:50:8]


@pytest.fixture(scope="module")
def listener() -> Listener:
    return Listener()


def clip_of(row: dict) -> AudioClip:
    return read_audio(QUESTIONS / row["file"])


def words(text: str) -> list[str]:
    return re.sub(r"[^a-z ]", "", text.lower().replace("-", "")).split()


def wrong_words(said: str, heard: str) -> int:
    """Edit distance over words."""
    a, b = words(said), words(heard)
    row = list(range(len(b) + 1))
    for i, word in enumerate(a, 1):
        row, before = [i, *([0] * len(b))], row
        for j, other in enumerate(b, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (word != other))
    return row[-1]


def as_clip(pcm: np.ndarray) -> AudioClip:
    return AudioClip(pcm.astype(np.float32), 16_000, len(pcm) / 16_000)


def test_questions_are_understood(listener: Listener):
    mistakes = sum(wrong_words(row["text"], listener.hear(clip_of(row)).transcript.text) for row in CHOSEN)
    total = sum(len(words(row["text"])) for row in CHOSEN)
    assert mistakes / total < 0.15


def test_the_model_answers_what_was_said(listener: Listener):
    a2 = A2LLM(Engine(tiny.parts()), find_persona("ada"), _listener=listener)
    assert len(next(a2.respond_audio(QUESTIONS / ROWS[0]["file"])).pcm)
    assert a2.heard is not None and wrong_words(ROWS[0]["text"], a2.heard.transcript.text) <= 1


def test_what_is_heard_is_complete(listener: Listener):
    heard = listener.hear_file(QUESTIONS / ROWS[0]["file"])
    assert heard.segments and heard.compute_ms > heard.transcript.compute_ms > 0
    assert heard.transcript.no_speech_prob < 0.6 and heard.transcript.avg_logprob > -1
    assert heard.voice.affect.category in AFFECTS and heard.voice.probabilities.sum() == pytest.approx(1)


def test_the_same_sound_gives_the_same_words(listener: Listener):
    pcm = clip_of(ROWS[3]).pcm
    assert listener.transcriber.transcribe(pcm).text == listener.transcriber.transcribe(pcm).text


def test_two_are_heard_at_once_as_each_alone(listener: Listener):
    """With one worker, the second call would wait for the first."""
    both = load_listener(InferenceSettings(slots=8)).transcriber
    assert (both.workers, listener.transcriber.workers) == (2, 1)
    clips = [clip_of(row).pcm for row in CHOSEN[:4]]
    with ThreadPoolExecutor(2) as pool:
        assert [t.text for t in pool.map(both.transcribe, clips)] == [listener.transcriber.transcribe(clip).text for clip in clips]


@pytest.mark.parametrize("kind", ["silence", "white", "hum", "too short", "nothing"])
def test_no_speech_is_said_clearly(listener: Listener, kind: str):
    rng = np.random.default_rng(0)
    sounds = {
        "silence": np.zeros(32_000),
        "white": 0.2 * rng.normal(size=32_000),
        "hum": 0.4 * np.sin(np.arange(32_000) / 20),
        "too short": 0.1 * rng.normal(size=200),
        "nothing": np.zeros(0),
    }
    with pytest.raises(NoSpeechError, match=r"no (speech|words)"):
        listener.hear(as_clip(sounds[kind]))


@pytest.mark.parametrize(("rate_hz", "width", "channels"), [(8_000, 2, 2), (44_100, 3, 1)])
def test_speech_in_other_formats(listener: Listener, tmp_path: Path, rate_hz: int, width: int, channels: int):
    from a2llm.resampling import resample

    row = ROWS[1]
    pcm = np.repeat(resample(clip_of(row).pcm, 16_000, rate_hz), channels).astype(np.float64).clip(-1, 1)
    whole = (pcm * (2 ** (8 * width - 1) - 1)).astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width]
    with wave.open(str(tmp_path / "q.wav"), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(np.ascontiguousarray(whole).tobytes())
    assert wrong_words(row["text"], listener.hear_file(tmp_path / "q.wav").transcript.text) <= 2


def test_a_text_file_is_refused_before_the_ear(listener: Listener, tmp_path: Path):
    (tmp_path / "letter.wav").write_text("not a sound\n" * 100)
    with pytest.raises(AudioInputError):
        listener.hear_file(tmp_path / "letter.wav")


def turn() -> np.ndarray:
    """Two questions with half a second between them."""
    gap = np.zeros(8_000, np.float32)
    return np.concatenate([gap, clip_of(ROWS[1]).pcm, gap, clip_of(ROWS[7]).pcm])


@pytest.mark.parametrize("chunk", [160, 1_000, 16_000])
def test_incremental_hearing_loses_nothing(listener: Listener, chunk: int):
    stream, pcm = listener.open_stream(), turn()
    for at in range(0, len(pcm), chunk):
        stream.feed(pcm[at : at + chunk])
    said = f"{ROWS[1]['text']} {ROWS[7]['text']}"
    assert wrong_words(said, stream.finish().text) <= 3


def test_after_a_pause_nothing_is_left_to_do(listener: Listener):
    stream = listener.open_stream()
    stream.feed(np.concatenate([turn(), np.zeros(9_600, np.float32)]))
    last = stream.finish()
    assert last.text and last.compute_ms < 5


def test_silence_before_speech_costs_no_memory(listener: Listener):
    stream = listener.open_stream()
    assert stream.feed(np.zeros(16_000 * 20, np.float32)) == ""
    assert len(stream._part.sound()) <= 11 * 512
    assert stream.finish().text == ""


def test_speech_longer_than_the_context_is_cut_at_pauses(listener: Listener):
    rows = ROWS[:14]
    long = np.concatenate([clip_of(row).pcm for row in rows])
    assert len(long) > 30 * 16_000
    said = " ".join(row["text"] for row in rows)
    assert wrong_words(said, listener.transcriber.transcribe(long).text) / len(words(said)) < 0.15
