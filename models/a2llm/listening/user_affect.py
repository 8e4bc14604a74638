"""How the user sounds: a small head over prosody, so that the same words said sadly and happily are told apart.

It was trained on synthetic voices and synthetic affect (see training.user_affect); on people it is a hint. That is why it answers
neutral whenever it is not sure, and why its answer is conditioning for the language model, never shown as a fact.
How one person sounds says little until one knows how they usually sound: a session keeps a `Usual` and hands it in each turn.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from a2llm.affect import AFFECTS, Affect
from a2llm.clock import EAR_RATE_HZ
from a2llm.listening.features import FEATURES, prosody

DEFAULT_WEIGHTS = Path(__file__).parents[2] / "weights" / "default" / "user_affect.safetensors"
# Chosen by cross-validation over the training voices: plain speech stays neutral 75% (stranger) and 89% (known speaker) of the time.
COLOURED = 0.9
SURE = 0.5
_SHORTEST_S, _LONGEST_S = 0.6, 12.0
_LEAST_VOICED = 0.1  # less than this is whisper, noise or silence: no pitch to judge by
_KNOWN_WEIGHT = 0.5
_LONGEST_MEMORY = 8.0  # turns; older ones fade


@dataclass(frozen=True)
class AffectReading:
    """affect: what to go by (neutral when unsure). confidence: probability of the likeliest. probabilities: [5], order of AFFECTS."""

    affect: Affect
    confidence: float
    probabilities: np.ndarray


@dataclass(frozen=True)
class Usual:
    """How one speaker sounds when nothing is the matter: mean prosody [N] of their turns, each counted by its chance of being neutral."""

    mean: np.ndarray = field(default_factory=lambda: np.zeros(len(FEATURES), np.float32))
    weight: float = 0.0

    @property
    def known(self) -> bool:
        return self.weight >= _KNOWN_WEIGHT

    def after(self, features: np.ndarray, neutral_chance: float) -> "Usual":
        weight = self.weight + neutral_chance
        mean = self.mean + (features - self.mean) * (neutral_chance / max(weight, 1e-6))
        return Usual(mean.astype(np.float32), min(weight, _LONGEST_MEMORY))


STRANGER = Usual()
UNHEARD = AffectReading(Affect(), 0.0, np.eye(len(AFFECTS), dtype=np.float32)[0])


class UserAffect:
    """The head in numpy.

    coloured: least probability that the voice is not neutral; sure: least probability of the affect itself.

    Raises ValueError when the weights belong to another feature set or another list of affects.
    """

    def __init__(self, path: Path | None = None, coloured: float = COLOURED, sure: float = SURE) -> None:
        from safetensors import safe_open

        with safe_open(str(path or DEFAULT_WEIGHTS), framework="numpy") as file:
            layout = json.loads((file.metadata() or {}).get("layout", "{}"))
            names = list(file.keys())
            self._weights = {name: file.get_tensor(name) for name in names}
        if layout != head_layout():
            raise ValueError("the user-affect weights were made for other features or affects: train them again")
        self._coloured, self._sure = coloured, sure

    def read(self, pcm: np.ndarray) -> AffectReading:
        """A first turn: speech float32 [S] at 16 kHz, cut to where somebody speaks; of a long turn only the last 12 s count."""
        return self.follow(pcm, STRANGER)[0]

    def follow(self, pcm: np.ndarray, usual: Usual) -> tuple[AffectReading, Usual]:
        """Judges a turn, float32 [S] at 16 kHz, of a speaker heard before; returns the reading and what to hand in with their next turn."""
        if len(pcm) < _SHORTEST_S * EAR_RATE_HZ:
            return UNHEARD, usual
        features = prosody(pcm[-int(_LONGEST_S * EAR_RATE_HZ) :])
        if features[FEATURES.index("voiced_share")] < _LEAST_VOICED:
            return UNHEARD, usual
        reading = self.judge(features, usual)
        return reading, usual.after(features, float(reading.probabilities[0]))

    def judge(self, features: np.ndarray, usual: Usual = STRANGER) -> AffectReading:
        """Classifies prosody features [N]; `usual` is how this speaker sounded before."""
        out = head_forward(self._weights, features, usual.mean if usual.known else None)
        chances = np.exp(out[:-1] - out[:-1].max())
        chances /= chances.sum()
        best, confidence = int(chances.argmax()), float(chances.max())
        sure = best > 0 and 1 - chances[0] >= self._coloured and confidence >= self._sure
        affect = Affect(AFFECTS[best], float(1 / (1 + np.exp(-out[-1])))) if sure else Affect()
        return AffectReading(affect, confidence, chances.astype(np.float32))


def head_input(weights: dict[str, np.ndarray], features: np.ndarray, usual: np.ndarray | None) -> np.ndarray:
    """Features [N], and the speaker's usual ones or None -> [2 N + 1]. Clipped, so that an odd sound cannot shout."""
    plain = np.clip((features - weights["mean"]) / weights["std"], -4.0, 4.0)
    if usual is None:
        return np.concatenate([plain, np.zeros_like(plain), [0.0]])
    return np.concatenate([plain, np.clip((features - usual) / weights["spread"], -4.0, 4.0), [1.0]])


def head_forward(weights: dict[str, np.ndarray], features: np.ndarray, usual: np.ndarray | None) -> np.ndarray:
    """Features [N] -> [6]: five logits and the logit of the intensity. Two hidden layers."""
    x = head_input(weights, features, usual)
    for layer in ("0", "1"):
        x = np.tanh(weights[f"w{layer}"] @ x + weights[f"b{layer}"])
    return weights["w2"] @ x + weights["b2"]


def head_layout() -> dict[str, list[str]]:
    """Metadata that a file of weights must carry."""
    return {"features": list(FEATURES), "affects": list(AFFECTS)}
