"""Hearing at pauses, with an ear that takes the end of a sentence for the end of the sound, as Whisper may."""

import numpy as np

from a2llm.listening.incremental import IncrementalTranscriber
from a2llm.listening.transcriber import Transcript
from a2llm.vad_network import WINDOW_SAMPLES, VadState

SPEECH, QUIET, COUGH = 1.0, 0.0, 0.6  # loudness, which this voice activity takes for its probability


class Activity:
    def step(self, _: VadState, pcm: np.ndarray) -> np.ndarray:
        return np.asarray([float(np.abs(pcm).max())])


class Ear:
    """Says a word for each second of sound up to the first pause, and stops there."""

    def __init__(self) -> None:
        self.read: list[float] = []

    def transcribe(self, pcm: np.ndarray) -> Transcript:
        self.read.append(len(pcm) / 16_000)
        loud = pcm >= SPEECH
        first = int(np.argmax(loud)) if loud.any() else len(pcm)
        quiet = np.flatnonzero(~loud[first:])
        end = first + (int(quiet[0]) if len(quiet) else len(pcm) - first)
        return Transcript(" ".join(["word"] * round((end - first) / 16_000)), -0.1, 0.0, 0.0)


def sound(loudness: float, windows: int) -> np.ndarray:
    return np.full(windows * WINDOW_SAMPLES, loudness, np.float32)


def heard(*parts: np.ndarray) -> tuple[str, Ear]:
    ear = Ear()
    stream = IncrementalTranscriber(ear, Activity())  # type: ignore[arg-type]
    stream.feed(np.concatenate(parts))
    return stream.finish().text, ear


SECOND, PAUSE = sound(SPEECH, 31), sound(QUIET, 12)


def test_what_is_said_behind_a_pause_is_heard_although_the_ear_stops_there():
    text, _ = heard(SECOND, PAUSE, SECOND)
    assert text == "word word"


def test_a_cough_behind_a_pause_is_no_word_and_is_not_read_twice():
    text, ear = heard(SECOND, PAUSE, sound(COUGH, 3), PAUSE)
    assert text == "word" and len(ear.read) == 2


def test_an_ear_that_goes_on_is_not_asked_again():
    text, ear = heard(sound(SPEECH, 62))
    assert text == "word word" and len(ear.read) == 1
