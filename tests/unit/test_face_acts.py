"""A score is acted at its words: forms in their phrases, beats on stressed words, eyes back at the end."""

import numpy as np
import pytest

from a2llm.data.annotation import parse_response
from a2llm.data.face.acts import act, add_faces, stretches_of
from a2llm.data.face.moves import GAZE, POSES
from a2llm.data.prosody import Timeline
from a2llm.data.score import Score
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

PHONES = "wˈi sˈɔ ðə mˈæn tədˈA."
WORDS = np.cumsum([phone == " " for phone in PHONES])
TIME = Timeline(np.arange(0, 5 * len(PHONES) + 1, 5), PHONES, WORDS)


def _acted(text: str, seed: int, expressiveness: float = 1.0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    score = Score.annotated(parse_response(text), expressiveness=expressiveness)
    stretches = stretches_of(score, TIME, np.ones(TIME.frames, bool))
    return act(score, stretches, TIME.frames, np.random.default_rng(seed))


def test_phrases_lie_where_their_words_are_heard() -> None:
    score = Score.annotated(parse_response("[inform] We *saw* [inform] the man today."))
    audible = np.ones(TIME.frames, bool)
    audible[-20:] = False
    first, second = stretches_of(score, TIME, audible)
    assert (first.start, first.end) == (0, 35) and first.stress == TIME.vowel(1)[0]
    assert (second.start, second.end) == (40, TIME.frames - 20) and second.stress == TIME.vowel(4)[0]


def test_a_function_shows_in_its_phrase_in_six_of_seven_performances() -> None:
    seen = [np.ptp(_acted("[negate] We saw the [inform] man today.", seed)[0]["yaw"][:60]) > 0.08 for seed in range(60)]
    assert np.mean(seen) > 0.82
    plain = [np.ptp(_acted("[inform] We saw the [inform] man today.", seed)[0]["yaw"][:60]) > 0.08 for seed in range(60)]
    assert not any(plain)


def test_stressed_words_are_beaten_a_contrast_more() -> None:
    place = TIME.vowel(3)[0]

    def beat(mark: str) -> float:
        texts = [f"[inform] We saw the {mark}man{mark} today."] * 40
        return float(np.mean([_acted(text, seed)[0]["pitch"][place - 8 : place + 8].max() for seed, text in enumerate(texts)]))

    emphasis, contrast = beat("*"), beat("^")
    assert 0.02 < emphasis < contrast


def test_eyes_are_held_on_the_listener_at_the_end_and_in_questions() -> None:
    held = np.mean([_acted("[ask] We saw the man today?", seed)[1] for seed in range(60)], axis=0)
    assert held[-1] > 0.85 and held[40] > 0.45
    assert np.mean([_acted("[inform] We saw the man today.", seed)[1][20] for seed in range(20)]) == 0


def test_without_expressiveness_nothing_is_acted() -> None:
    tracks, _ = _acted("[greet joy.5] We *saw* the man today.", 0, 0.0)
    assert set(tracks) == {*POSES, *GAZE} and not any(track.any() for track in tracks.values())


def test_faces_are_added_but_not_heads() -> None:
    tracks, _ = _acted("[greet] We saw the man today.", 0)
    motion = np.zeros((TIME.frames, 61), np.float32)
    add_faces(motion, tracks)
    assert motion[:, ARKIT61.index("browOuterUpLeft")].max() > 0.4 and not motion[:, ARKIT61.group("head")].any()
