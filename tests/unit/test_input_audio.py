"""Windows, utterances, and what a commit takes."""

import numpy as np
import pytest

from a2serve.contracts.problems import Code, Problem
from a2serve.gateway.hearing.input_audio import BYTES_PER_MS, InputBuffer


def ramp(ms: int, start: int = 0) -> bytes:
    return (np.arange(start, start + 24 * ms) % 30000).astype("<i2").tobytes()


def test_windows_of_32_ms_whatever_the_chunks():
    buffer, audio, windows = InputBuffer(10_000), ramp(320), []
    for at in range(0, len(audio), 1000):
        windows += list(buffer.append(audio[at : at + 1000]))
    assert [(w.start_input_ms, w.end_input_ms) for w in windows] == [(i * 32, i * 32 + 32) for i in range(10)]
    assert b"".join(w.pcm16 for w in windows) == audio


def test_an_utterance_reaches_back_but_not_over_a_commit():
    buffer = InputBuffer(10_000)
    list(buffer.append(ramp(640)))
    utterance = buffer.begin("u", 320)
    assert utterance.duration_ms == 320 and bytes(utterance.pcm16) == ramp(640)[320 * BYTES_PER_MS :]
    list(buffer.append(ramp(64)))
    assert buffer.take() is utterance and utterance.duration_ms == 384
    list(buffer.append(ramp(96)))
    assert buffer.begin("v", 0).start_input_ms == 704


def test_a_commit_needs_100_ms():
    buffer = InputBuffer(10_000)
    with pytest.raises(Problem) as caught:
        buffer.take_at_least("u")
    assert caught.value.code == Code.COMMIT_EMPTY
    list(buffer.append(ramp(90)))
    with pytest.raises(Problem):
        buffer.take_at_least("u")
    list(buffer.append(ramp(20)))
    assert buffer.take_at_least("u").duration_ms == 110  # the part of a window too
    with pytest.raises(Problem):
        buffer.take_at_least("v")


def test_a_full_buffer_says_so_and_keeps_what_it_has():
    buffer = InputBuffer(1000)
    list(buffer.append(ramp(64)))
    buffer.begin("u", 0)
    list(buffer.append(ramp(900)))
    with pytest.raises(Problem) as caught:
        list(buffer.append(ramp(100)))
    assert caught.value.code == Code.INPUT_BUFFER_FULL
    buffer.clear()
    list(buffer.append(ramp(100)))
    assert buffer.utterance is None
