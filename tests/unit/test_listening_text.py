"""The guard against loops, the cuts at pauses and the join of parts."""

import numpy as np
import pytest

from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.repetition import collapse_loops, drop_echo, has_loop
from a2llm.listening.transcriber import Transcript, join_transcripts, pause_cuts
from a2llm.vad_network import WINDOW_SAMPLES

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("No, no, no, I said no.", "No, no, no, I said no."),
        ("so so so so so so much", "so much"),
        ("Thank you. Thank you. Thank you. Thank you. Thank you.", "Thank you."),
        ("I know that you I know that you I know that you I know that you I know", "I know that you I know"),
        ("A long, long time ago, far away", "A long, long time ago, far away"),
    ],
)
def test_loops_collapse_and_speech_stays(text: str, expected: str):
    assert collapse_loops(text) == expected
    assert has_loop(text) == (text != expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("What is a blue moon? What is a blue moon?", "What is a blue moon?"),
        ("Do I need to bring anything? Do I need to", "Do I need to bring anything?"),
        ("They put me first. they put me first. They put", "They put me first."),
        ("no no no", "no no no"),
        ("really, really good", "really, really good"),
        ("I think that I know what you mean", "I think that I know what you mean"),
        ("to be or not to be", "to be or not to be"),
    ],
)
def test_an_echo_is_dropped(text: str, expected: str):
    assert drop_echo(text) == expected


def test_cuts_fall_into_pauses_and_parts_are_short_enough():
    probabilities = np.ones(int(90 * EAR_RATE_HZ / WINDOW_SAMPLES))
    pauses = [700, 1300, 2000]
    for at in pauses:
        probabilities[at - 6 : at + 6] = 0.0
    cuts = pause_cuts(probabilities)
    assert [abs(cut - at) < 6 for cut, at in zip(cuts, pauses, strict=False)] == [True] * 3
    edges = [0, *cuts, len(probabilities)]
    assert max(np.diff(edges)) * WINDOW_SAMPLES <= 28 * EAR_RATE_HZ


def test_join_skips_empty_parts():
    parts = [Transcript("One.", -0.1, 0.0, 5.0), Transcript("", 0.0, 1.0, 5.0), Transcript("Two.", -0.3, 0.2, 5.0)]
    joined = join_transcripts(parts, 12.0)
    assert joined.text == "One. Two." and joined.compute_ms == 12.0
    assert joined.avg_logprob == pytest.approx(-0.2) and joined.no_speech_prob == pytest.approx(0.1)


def test_join_of_nothing():
    assert join_transcripts([], 1.0) == Transcript("", 0.0, 1.0, 1.0)
