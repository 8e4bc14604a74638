"""The teacher: deterministic, in range, lips that close on p, b, m, eyes that blink, affects that differ."""

import numpy as np
import pytest

from a2llm.affect import AFFECTS, Affect
from a2llm.data.articulation import phone_spans, split_silent_tails
from a2llm.data.motion_teacher import idle_motion, teach_plain
from a2llm.data.visemes import PHONES, VOWELS
from a2llm.evaluation.face_metrics import bilabial_closures, count_blinks
from a2llm.head.geometry import HeadGeometry
from a2llm.rig import ARKIT61

pytestmark = pytest.mark.unit

PHONES_SAID = " mˈAbi bˈɑbz hˈæpi mˈʌðəɹ, bɹˈɪŋz fˈIv pˈɜɹpᵊl plˈʌmz. "
MISAKI = "AIOQWYTSbdfhijklmnpstuvwzæðŋɑɐɒɔəɚɛɜɡɪɹɾʃʊʌʒʔʤʧθᵊᵻeaox"


def _utterance(seed: int = 0) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    durations = np.array([{" ": 1, ",": 10, "ˈ": 2}.get(p, int(rng.integers(1, 5))) for p in PHONES_SAID])
    durations[0] = durations[-1] = 15
    steps = 2 * durations.sum()
    f0 = 180 + 40 * np.sin(np.arange(steps) / 30)
    energy = np.repeat([-20.0 if p in VOWELS else -32.0 for p in PHONES_SAID], 2 * durations)
    return PHONES_SAID, durations, f0.astype(np.float32), energy.astype(np.float32)


def _mean(motion: np.ndarray, name: str) -> float:
    return float(motion[:, ARKIT61.index(name)].mean())


@pytest.mark.parametrize("affect", AFFECTS)
def test_lips_meet_on_every_bilabial_of_both_heads(affect):
    phones, durations, f0, energy = _utterance()
    motion = teach_plain(phones, durations, f0, energy, Affect(affect, 1.0), seed=1)
    assert motion.shape == (durations.sum(), 61) and motion.dtype == np.float32
    shapes = motion[:, ARKIT61.group("blendshapes")]
    assert np.isfinite(motion).all() and shapes.min() >= 0 and shapes.max() <= 1
    for look in ("woman", "man"):
        closed = bilabial_closures(motion, phones, durations, HeadGeometry.load(look))
        assert len(closed) and closed.all()


def test_vowels_open_and_silence_closes():
    phones, durations, f0, energy = _utterance()
    motion = teach_plain(phones, durations, f0, energy, Affect(), seed=1)
    opening = HeadGeometry.load().lip_opening(motion)
    assert opening[:8].max() < 1 and opening[-4:].max() < 1 and opening.max() > 6


def test_same_seed_same_bytes_other_seed_other_face():
    a, b, c = (teach_plain(*_utterance(), Affect("joy", 0.6), seed=s) for s in (4, 4, 5))
    assert a.tobytes() == b.tobytes() and not np.array_equal(a, c)


def test_affects_have_their_own_upper_face():
    motion = {a: teach_plain(*_utterance(), Affect(a, 0.8 if a != "neutral" else 0.0), seed=2) for a in AFFECTS}
    for affect, name in (
        ("joy", "cheekSquintLeft"),
        ("sadness", "browInnerUp"),
        ("anger", "browDownRight"),
        ("surprise", "eyeWideLeft"),
    ):
        values = {a: _mean(m, name) for a, m in motion.items()}
        assert max(values, key=values.__getitem__) == affect
        assert values[affect] > values["neutral"] + 0.25


def test_eye_angles_and_eye_shapes_agree():
    motion = idle_motion(800, Affect(), seed=3)
    yaw = motion[:, ARKIT61.index("leftEyeYaw")]
    out, inside = (motion[:, ARKIT61.index(n)] for n in ("eyeLookOutLeft", "eyeLookInLeft"))
    assert np.allclose((out - inside) * 0.45, np.clip(yaw, -0.45, 0.45), atol=1e-5)


def test_an_idle_face_is_alive():
    motion = idle_motion(40 * 240, Affect(), seed=0)
    assert 10 <= count_blinks(motion) / 4 <= 28  # a minute
    assert motion[:, ARKIT61.group("head")].std(0).min() > 0.005
    assert HeadGeometry.load().lip_opening(motion).max() < 2


def test_a_silent_tail_becomes_a_pause():
    spans = phone_spans("i!", np.array([15, 4]))
    loud = np.zeros(19)
    loud[:5] = 1
    assert [(s.phone, s.start, s.end) for s in split_silent_tails(spans, loud)] == [("i", 0, 5), (" ", 5, 15), ("!", 15, 19)]


def test_every_symbol_has_a_shape():
    assert not set(MISAKI) - set(PHONES)


@pytest.mark.parametrize(
    ("phones", "durations", "match"),
    [("ab", [3], "2 phones"), ("a7", [3, 3], "'7'"), ("a", [0], "at least one"), ("a", [2], "80 Hz")],
)
def test_bad_input_is_refused(phones, durations, match):
    steps = 2 * max(sum(durations), 1) + (2 if match == "80 Hz" else 0)
    with pytest.raises(ValueError, match=match):
        teach_plain(phones, np.array(durations), np.zeros(steps), np.zeros(steps), Affect(), 0)
