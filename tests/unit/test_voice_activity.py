"""Silero on real questions and on what is not speech."""

import numpy as np
from support.servers.realtime import silence, speech

from a2serve.gateway.hearing.voice_activity import WINDOW_BYTES, VoiceActivity


def probabilities(pcm16: bytes) -> np.ndarray:
    ears = VoiceActivity()
    return np.array([ears.probability(pcm16[at : at + WINDOW_BYTES]) for at in range(0, len(pcm16) - WINDOW_BYTES + 1, WINDOW_BYTES)])


def test_speech_is_found_and_silence_is_not():
    found = probabilities(silence(960) + speech() + silence(960))
    assert np.all(found[:28] < 0.3) and np.all(found[-20:] < 0.35)
    assert np.mean(found[31:-31] > 0.5) > 0.7


def test_a_tone_and_clicks_are_not_a_voice():
    t = np.arange(24000) / 24000
    tone = (6000 * np.sin(2 * np.pi * 1000 * t)).astype("<i2").tobytes()
    clicks = np.zeros(24000, "<i2")
    clicks[::6000] = 20000
    assert np.mean(probabilities(tone) > 0.5) < 0.2
    assert np.mean(probabilities(clicks.tobytes()) > 0.5) < 0.1


def test_two_sessions_do_not_hear_each_other():
    one, two = VoiceActivity(), VoiceActivity()
    audio = speech()
    windows = [audio[at : at + WINDOW_BYTES] for at in range(0, WINDOW_BYTES * 20, WINDOW_BYTES)]
    alone = [VoiceActivity().probability(windows[0])]
    for window in windows:
        two.probability(window)
    assert one.probability(windows[0]) == alone[0]
