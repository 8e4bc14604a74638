"""Our own voice is recognised through delay, room and noise; another's is not."""

import numpy as np
import pytest
from support.servers.realtime import speech

from a2llm.pcm16 import from_pcm16, to_pcm16
from a2serve.gateway.hearing.echo import THRESHOLD, EchoGate


def similarity(played: np.ndarray, recorded: np.ndarray) -> float:
    gate = EchoGate()
    gate.played(to_pcm16(played.astype(np.float32)))
    gate.recorded(to_pcm16(recorded.astype(np.float32)))
    return gate.similarity()


def loud_ends(signal: np.ndarray) -> list[int]:
    """Places at which the last 400 ms hold sound."""
    probe = 24 * 400
    return [end for end in range(probe, len(signal), 24 * 100) if np.mean(signal[end - probe : end] ** 2) > 1e-4]


@pytest.mark.parametrize("delay_ms", [20, 180, 600])
def test_an_echo_is_an_echo(delay_ms):
    ours = from_pcm16(speech("af_bella_00"))[: 24 * 2400]
    rng = np.random.default_rng(0)
    echo = np.zeros(24 * 80)
    echo[0], echo[300], echo[1100] = 0.2, 0.08, 0.05
    heard = np.convolve(ours, echo)[: len(ours)] + rng.normal(0, 0.001, len(ours))
    ends = [end for end in loud_ends(ours) if end + 24 * delay_ms <= len(ours)]
    found = [similarity(ours[: end + 24 * delay_ms], heard[:end]) > THRESHOLD for end in ends]
    assert len(found) > 3 and np.mean(found) > 0.8


def test_another_sentence_of_the_same_voice_is_not():
    ours = from_pcm16(speech("af_bella_00"))[: 24 * 2400]
    found = []
    for name in ("af_bella_01", "af_bella_02", "af_bella_03", "af_bella_04"):
        theirs = from_pcm16(speech(name))
        found += [similarity(ours, theirs[:end]) > THRESHOLD for end in loud_ends(theirs)]
    assert len(found) > 20 and np.mean(found) < 0.1


def test_silence_is_nobody():
    assert similarity(np.zeros(24000), np.zeros(24000)) == 0.0
    assert similarity(from_pcm16(speech())[:24000], np.zeros(24000)) == 0.0
