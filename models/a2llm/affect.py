"""Russell's circumplex: the place of each affect. The affect itself is a message, `a2llm.messages.affect`."""

import numpy as np

from a2llm.messages.affect import AFFECTS, HEARD_INTENSITY, Affect

__all__ = ["AFFECTS", "CIRCUMPLEX", "HEARD_INTENSITY", "Affect", "valence_arousal"]

# (valence, arousal) where the circumplex puts each category: what a label means, not a measurement.
CIRCUMPLEX = {"neutral": (0.0, 0.3), "joy": (0.8, 0.6), "sadness": (-0.7, 0.2), "anger": (-0.6, 0.85), "surprise": (0.2, 0.8)}


def valence_arousal(probabilities: np.ndarray) -> tuple[float, float]:
    """The mean place on the circumplex: valence in -1..1 and arousal in 0..1, of probabilities [5] in the order of AFFECTS."""
    valence, arousal = (probabilities @ np.array([CIRCUMPLEX[name] for name in AFFECTS])).tolist()
    return valence, arousal
