"""Mouth targets of every phone, and how firmly each articulator holds them.

Poses are on arkit61; amplitudes are chosen on the default head, where jawOpen 1.0 opens the lips by 33 mm and speech
rarely exceeds 12 mm. Phones are the single characters of the misaki alphabet, as the bundled voice writes them.
It knows nothing about time: `articulation` blends these targets.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.rig import ARKIT61

# A shape is a pose plus dominance of (jaw, lips, tongue): after Cohen & Massaro 1993, a consonant that needs its lips
# holds them against the neighbours, one that does not takes theirs.
SHAPES: dict[str, tuple[dict[str, float], tuple[float, float, float]]] = {
    "rest": ({}, (0.9, 0.9, 1.0)),
    "bilabial": ({"jawOpen": 0.03, "mouthPress": 0.15, "mouthRollLower": 0.08, "mouthRollUpper": 0.08}, (1.5, 1.2, 1.0)),
    "labiodental": ({"jawOpen": 0.03, "mouthRollLower": 0.6, "mouthUpperUp": 0.18}, (4.0, 5.0, 1.0)),
    "dental": ({"jawOpen": 0.085, "mouthLowerDown": 0.2, "mouthUpperUp": 0.12, "tongueOut": 0.3}, (1.2, 0.8, 3.0)),
    "alveolar": ({"jawOpen": 0.07, "mouthLowerDown": 0.18, "mouthUpperUp": 0.1}, (0.8, 0.45, 1.5)),
    "lateral": ({"jawOpen": 0.1, "mouthLowerDown": 0.18, "mouthUpperUp": 0.1, "tongueOut": 0.04}, (0.7, 0.4, 2.0)),
    "sibilant": ({"jawOpen": 0.03, "mouthStretch": 0.22, "mouthLowerDown": 0.3, "mouthUpperUp": 0.15}, (2.2, 1.1, 1.5)),
    "postalveolar": ({"jawOpen": 0.045, "mouthFunnel": 0.42, "mouthPucker": 0.18, "mouthUpperUp": 0.1}, (2.0, 1.8, 1.5)),
    "velar": ({"jawOpen": 0.1, "mouthLowerDown": 0.1, "mouthUpperUp": 0.06}, (0.5, 0.3, 1.0)),
    "glottal": ({"jawOpen": 0.12}, (0.15, 0.1, 0.5)),
    "rhotic": ({"jawOpen": 0.08, "mouthFunnel": 0.25, "mouthPucker": 0.3}, (0.8, 1.1, 1.0)),
    "glide_w": ({"jawOpen": 0.05, "mouthFunnel": 0.25, "mouthPucker": 0.8}, (1.3, 2.2, 1.0)),
    "glide_j": ({"jawOpen": 0.06, "mouthSmile": 0.15, "mouthStretch": 0.18, "mouthLowerDown": 0.1}, (0.9, 0.8, 1.0)),
    "high_front": ({"jawOpen": 0.08, "mouthSmile": 0.22, "mouthStretch": 0.28, "mouthLowerDown": 0.15}, (1.0, 1.0, 1.0)),
    "near_front": ({"jawOpen": 0.14, "mouthSmile": 0.12, "mouthStretch": 0.18, "mouthLowerDown": 0.15}, (1.0, 0.9, 1.0)),
    "mid_front": ({"jawOpen": 0.21, "mouthSmile": 0.1, "mouthStretch": 0.2, "mouthLowerDown": 0.2}, (1.1, 1.0, 1.0)),
    "low_front": ({"jawOpen": 0.31, "mouthStretch": 0.26, "mouthLowerDown": 0.22, "mouthUpperUp": 0.1}, (1.3, 1.1, 1.0)),
    "low_back": ({"jawOpen": 0.34, "mouthLowerDown": 0.15, "mouthUpperUp": 0.05}, (1.3, 1.0, 1.0)),
    "low_round": ({"jawOpen": 0.27, "mouthFunnel": 0.3, "mouthPucker": 0.12}, (1.2, 1.2, 1.0)),
    "mid_central": ({"jawOpen": 0.23, "mouthLowerDown": 0.12}, (1.1, 0.9, 1.0)),
    "schwa": ({"jawOpen": 0.12, "mouthLowerDown": 0.08}, (0.6, 0.4, 1.0)),
    "rhotic_vowel": ({"jawOpen": 0.13, "mouthFunnel": 0.22, "mouthPucker": 0.22}, (1.0, 1.1, 1.0)),
    "mid_round": ({"jawOpen": 0.2, "mouthFunnel": 0.38, "mouthPucker": 0.3}, (1.1, 1.4, 1.0)),
    "near_round": ({"jawOpen": 0.12, "mouthFunnel": 0.25, "mouthPucker": 0.42}, (1.0, 1.3, 1.0)),
    "high_round": ({"jawOpen": 0.06, "mouthFunnel": 0.26, "mouthPucker": 0.8}, (1.1, 1.8, 1.0)),
    "front_round": ({"jawOpen": 0.09, "mouthFunnel": 0.2, "mouthPucker": 0.5}, (1.0, 1.4, 1.0)),
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
    """A mouth target: pose [61] and dominance of jaw, lips, tongue [3]."""

    pose: np.ndarray
    dominance: np.ndarray


POSES = {name: Shape(ARKIT61.pose(pose), np.array(hold, np.float32)) for name, (pose, hold) in SHAPES.items()}
