"""Mouth targets of every phone, and how firmly each articulator holds them.

Poses are on arkit61; amplitudes are chosen on the default head, where jawOpen 1.0 opens the lips by 33 mm and speech
rarely exceeds 12 mm. Phones are the single characters of the misaki alphabet, as the bundled voice writes them.
It knows nothing about time: `articulation` blends these targets.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.rig import ARKIT61

# A shape is a pose plus dominance of (jaw, width of the mouth, lips, tongue): after Cohen & Massaro 1993, a consonant that needs its
# lips holds them against the neighbours, one that does not takes theirs. Jaws, widths (smile, stretch, funnel, pucker) and their
# dominances were fitted on recordings of a man (docs/data.md, "Held against people"), where these have the sound; lips and tongue by eye.
SHAPES: dict[str, tuple[dict[str, float], tuple[float, float, float, float]]] = {
    "rest": ({}, (0.09, 0.47, 0.9, 1)),
    "bilabial": (
        {"jawOpen": 0.036, "mouthFunnel": 0.114, "mouthPucker": 0.227, "mouthPress": 0.05, "mouthRollLower": 0.08, "mouthRollUpper": 0.08},
        (1.61, 0.68, 1.2, 1),
    ),
    "labiodental": (
        {"jawOpen": 0.02, "mouthFunnel": 0.005, "mouthPucker": 0.01, "mouthRollLower": 0.6, "mouthUpperUp": 0.18},
        (5.11, 2.64, 5, 1),
    ),
    "dental": (
        {"jawOpen": 0.02, "mouthSmile": 0.01, "mouthStretch": 0.024, "mouthLowerDown": 0.2, "mouthUpperUp": 0.12, "tongueOut": 0.3},
        (3.04, 1.44, 0.8, 3),
    ),
    "alveolar": (
        {"jawOpen": 0.02, "mouthSmile": 0.006, "mouthStretch": 0.015, "mouthLowerDown": 0.18, "mouthUpperUp": 0.1},
        (0.09, 1.29, 0.45, 1.5),
    ),
    "lateral": (
        {"jawOpen": 0.125, "mouthFunnel": 0.011, "mouthPucker": 0.023, "mouthLowerDown": 0.18, "mouthUpperUp": 0.1, "tongueOut": 0.04},
        (0.15, 0.23, 0.4, 2),
    ),
    "sibilant": ({"jawOpen": 0.09, "mouthStretch": 0.22, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15}, (0.17, 1.98, 1.1, 1.5)),
    "postalveolar": ({"jawOpen": 0.196, "mouthFunnel": 0.531, "mouthPucker": 0.403, "mouthUpperUp": 0.1}, (3.16, 0.84, 1.8, 1.5)),
    "velar": ({"jawOpen": 0.31, "mouthStretch": 0.007, "mouthLowerDown": 0.1, "mouthUpperUp": 0.06}, (0.72, 0.14, 0.3, 1)),
    "glottal": ({"jawOpen": 0.131}, (0.15, 0.1, 0.1, 0.5)),
    "rhotic": ({"jawOpen": 0.02, "mouthFunnel": 0.503, "mouthPucker": 0.806}, (3.77, 0.96, 1.1, 1)),
    "glide_w": (
        {"jawOpen": 0.02, "mouthSmile": 0.037, "mouthStretch": 0.093, "mouthFunnel": 0.176, "mouthPucker": 0.652},
        (3.76, 3.59, 2.2, 1),
    ),
    "glide_j": ({"jawOpen": 0.187, "mouthSmile": 0.186, "mouthStretch": 0.269, "mouthLowerDown": 0.1}, (3.76, 0.99, 0.8, 1)),
    "high_front": (
        {"jawOpen": 0.214, "mouthSmile": 0.213, "mouthStretch": 0.263, "mouthFunnel": 0.013, "mouthPucker": 0.027, "mouthLowerDown": 0.15},
        (0.53, 1, 1, 1),
    ),
    "near_front": ({"jawOpen": 0.164, "mouthSmile": 0.141, "mouthStretch": 0.231, "mouthLowerDown": 0.15}, (0.17, 0.69, 0.9, 1)),
    "mid_front": (
        {"jawOpen": 0.226, "mouthSmile": 0.079, "mouthStretch": 0.147, "mouthFunnel": 0.043, "mouthPucker": 0.085, "mouthLowerDown": 0.2},
        (1.99, 2.61, 1, 1),
    ),
    "low_front": (
        {"jawOpen": 0.262, "mouthSmile": 0.06, "mouthStretch": 0.41, "mouthLowerDown": 0.22, "mouthUpperUp": 0.1},
        (1.47, 2.46, 1.1, 1),
    ),
    "low_back": (
        {"jawOpen": 0.366, "mouthSmile": 0.059, "mouthStretch": 0.147, "mouthLowerDown": 0.15, "mouthUpperUp": 0.05},
        (2.34, 1.09, 1, 1),
    ),
    "low_round": ({"jawOpen": 0.107, "mouthFunnel": 0.454, "mouthPucker": 0.427}, (3.9, 0.93, 1.2, 1)),
    "mid_central": ({"jawOpen": 0.132, "mouthPucker": 0.005, "mouthLowerDown": 0.12}, (1.99, 0.42, 0.9, 1)),
    "schwa": ({"jawOpen": 0.147, "mouthStretch": 0.006, "mouthLowerDown": 0.08}, (0.84, 0.35, 0.4, 1)),
    "rhotic_vowel": ({"jawOpen": 0.141, "mouthFunnel": 0.22, "mouthPucker": 0.22}, (1, 1.1, 1.1, 1)),
    "mid_round": ({"jawOpen": 0.248, "mouthFunnel": 0.516, "mouthPucker": 0.573}, (1.75, 0.5, 1.4, 1)),
    "near_round": ({"jawOpen": 0.131, "mouthFunnel": 0.25, "mouthPucker": 0.42}, (1, 1.3, 1.3, 1)),
    "high_round": ({"jawOpen": 0.073, "mouthFunnel": 0.459, "mouthPucker": 1.199}, (1.75, 0.48, 1.8, 1)),
    "front_round": ({"jawOpen": 0.098, "mouthFunnel": 0.2, "mouthPucker": 0.5}, (1, 1.4, 1.4, 1)),
}

_CONSONANTS = {
    "bilabial": "pbm",
    "labiodental": "fvʋ",
    "dental": "θð",
    "alveolar": "tdnɾTʈɖɳɽʣʦ",
    "lateral": "lʎ",
    "sibilant": "szSʂɕʥʨ",
    "postalveolar": "ʃʒʤʧ",
    "velar": "kɡxɣŋcɟɲɴqχʝçʁɰβɸ",
    "glottal": "hʔ",
    "rhotic": "ɹrɻ",
    "glide_w": "wɥ",
    "glide_j": "j",
}
_VOWELS = {
    "high_front": "i",
    "near_front": "ɪᵻ",
    "mid_front": "ɛe",
    "low_front": "æa",
    "low_back": "ɑ",
    "low_round": "ɒɔ",
    "mid_central": "ʌɐ",
    "schwa": "əᵊɨɤ",
    "rhotic_vowel": "ɜɚ",
    "mid_round": "o",
    "near_round": "ʊᵝ",
    "high_round": "uɯ",
    "front_round": "yøœ",
}
_DIPHTHONGS = {
    "A": ("mid_front", "high_front"),
    "I": ("low_back", "near_front"),
    "O": ("mid_round", "high_round"),
    "Q": ("schwa", "high_round"),
    "W": ("low_front", "high_round"),
    "Y": ("low_round", "near_front"),
    "ꭧ": ("alveolar", "postalveolar"),
}

PAUSES = frozenset(' ;:,.!?—…"()“”')
STRESS = {"ˈ": 1.18, "ˌ": 1.06}  # how much a stressed vowel opens, against 0.88 of an unstressed one
UNSTRESSED = 0.88
LENGTHENERS = frozenset("ː̃ʰʲ↓→↗↘")  # belong to the phone before them
BILABIALS = frozenset("pbm")


def _phones() -> dict[str, tuple[str, ...]]:
    single = {phone: (shape,) for table in (_CONSONANTS, _VOWELS) for shape, chars in table.items() for phone in chars}
    return {**single, **_DIPHTHONGS, **dict.fromkeys(PAUSES, ("rest",))}


PHONES = _phones()
VOWELS = frozenset("".join(_VOWELS.values())) | frozenset("AIOQWY")


@dataclass(frozen=True)
class Shape:
    """A mouth target: pose [61] and dominance of jaw, width, lips, tongue [4]."""

    pose: np.ndarray
    dominance: np.ndarray


POSES = {name: Shape(ARKIT61.pose(pose), np.array(hold, np.float32)) for name, (pose, hold) in SHAPES.items()}
