"""The judge of evaluations hears a question as it was asked, and nothing in silence."""

from pathlib import Path

import numpy as np

from a2llm.evaluation.stock_ear import StockEar
from a2llm.sound_files import read_audio

QUESTION = Path(__file__).parents[1] / "data" / "questions" / "am_eric_02.flac"


def test_a_question_is_heard_and_silence_is_not() -> None:
    ear = StockEar(beam_size=1, temperature=0.0, condition_on_previous_text=False)
    words = ear.hear(read_audio(QUESTION).pcm)
    assert len(words.split()) >= 4 and ear.hear(read_audio(QUESTION).pcm) == words
    assert ear.hear(np.zeros(0, np.float32)) == ""
