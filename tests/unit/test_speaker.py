"""The judge of voices: names the nearest speaker; where its weights are installed, it hears that a voice is itself."""

from importlib.util import find_spec

import numpy as np
import pytest

from a2llm.evaluation.speaker import SpeakerEncoder, centroids, identified


def test_the_nearest_speaker_is_named() -> None:
    known = centroids({"a": [np.array([1.0, 0.1]), np.array([1.0, -0.1])], "b": [np.array([0.0, 2.0])]})
    assert np.allclose(known["a"], [1.0, 0.0]) and np.allclose(known["b"], [0.0, 1.0])
    assert identified(np.array([0.9, 0.3]), known) == "a" and identified(np.array([0.2, 0.9]), known) == "b"


@pytest.mark.skipif(find_spec("resemblyzer") is None, reason="the packages of models/weights/teacher.txt are not installed")
def test_a_sound_is_like_itself_and_silence_is_nobody() -> None:
    encoder, rng = SpeakerEncoder.load(), np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 48_000).astype(np.float32)
    one, other = encoder.embed(sound, 24_000), encoder.embed(0.5 * sound, 24_000)
    assert abs(float(np.linalg.norm(one)) - 1) < 1e-4 and float(one @ other) > 0.9
    with pytest.raises(ValueError, match="silence"):
        encoder.embed(np.zeros(24_000, np.float32), 24_000)
