"""Tunes: a table of how a function or an affect bends the voice, with the sources of its directions. Sizes were set by ear and by reading.

Affects: Scherer (2003), Juslin & Laukka (2003). Rising and falling ends, list and continuation rises: Pierrehumbert & Hirschberg (1990),
Cruttenden (1997). The fall-rise of reservation (`disagree`): Ladd (1980). Sarcasm slow and low: Rockwell (2000), Cheang & Pell (2008).
Reported words in another register: Klewitz & Couper-Kuhlen (1999). Hesitation and lengthening: Clark & Fox Tree (2002).
Compression after a contrast: Cooper, Eady & Mueller (1985), Xu & Xu (2005). Larger peaks for contrast, with a dip before: Pierrehumbert &
Hirschberg's L+H*. It is a table; `prosody` performs it.
"""

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Tune:
    """Deviations from a plain voice at full strength, so that tunes add up and scale.

    Pitch in semitones, range and tempo as natural logarithms of factors (tempo above 0 is slower), gain in dB; end_st moves the pitch
    towards the end of the phrase; accent is the logarithm of a factor on its pitch accents, stretch of one on its stressed words,
    last_stretch on its last word; pauses in units of 25 ms, breath is how much the end of the phrase loses its strength, in dB.
    """

    pitch_st: float = 0.0
    range: float = 0.0
    tempo: float = 0.0
    gain_db: float = 0.0
    end_st: float = 0.0
    accent: float = 0.0
    stretch: float = 0.0
    last_stretch: float = 0.0
    pause_before: float = 0.0
    pause_after: float = 0.0
    breath_db: float = 0.0

    def __add__(self, other: "Tune") -> "Tune":
        return Tune(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, share: float) -> "Tune":
        return Tune(*(getattr(self, f.name) * share for f in fields(self)))


def factor(value: float) -> float:
    """A factor as a tune holds it."""
    return float(np.log(value))


AFFECT_TUNES = {
    "neutral": Tune(),
    "joy": Tune(2.4, factor(1.35), factor(0.92), 2.0),
    "sadness": Tune(-1.8, factor(0.55), factor(1.18), -3.4),
    "anger": Tune(0.8, factor(1.2), factor(0.94), 3.7, accent=factor(1.2)),
    "surprise": Tune(3.4, factor(1.5), factor(0.97), 1.7, end_st=2.0),
}
YES_NO = Tune(pitch_st=0.5, end_st=4.5)
WH = Tune(pitch_st=0.8, range=factor(1.1), end_st=-2.0)
LIST_ITEM = Tune(end_st=2.8, pause_after=3.0)
LIST_END = Tune(end_st=-2.2, last_stretch=factor(1.1))
POINT = Tune(range=factor(1.1), tempo=factor(1.06), end_st=-1.5, accent=factor(1.25), pause_before=8.0)  # the last phrase of a joke
FUNCTION_TUNES = {
    "inform": Tune(),
    "affirm": Tune(gain_db=0.6, end_st=-1.8, accent=factor(1.15)),
    "negate": Tune(-0.3, factor(1.1), factor(1.03), 0.8, -1.8, factor(1.3)),
    "agree": Tune(-0.2, end_st=-1.2),
    "disagree": Tune(range=factor(1.12), end_st=2.2, accent=factor(1.25)),
    "unsure": Tune(-0.2, factor(0.85), factor(1.12), -1.6, 2.0, last_stretch=factor(1.2)),
    "ask": Tune(),  # YES_NO or WH
    "request": Tune(gain_db=0.4, end_st=-0.8, accent=factor(1.12)),
    "offer": Tune(0.6, factor(1.15), end_st=1.8),
    "list": Tune(),  # LIST_ITEM or LIST_END
    "contrast": Tune(range=factor(1.08), accent=factor(1.3)),
    "emphasise": Tune(tempo=factor(1.05), gain_db=1.0, accent=factor(1.4), stretch=factor(1.12)),
    "intensify": Tune(gain_db=1.4, accent=factor(1.3), stretch=factor(1.28)),
    "include": Tune(range=factor(1.15), tempo=factor(1.05), stretch=factor(1.15)),
    "recall": Tune(-0.4, factor(0.7), factor(1.16), -1.6, 0.5, last_stretch=factor(1.3), pause_before=4.0, pause_after=4.0),
    "react": Tune(1.3, factor(1.25), accent=factor(1.15), pause_after=2.0),
    "empathise": Tune(-0.6, factor(0.72), factor(1.1), -2.2, -1.2, last_stretch=factor(1.1)),
    "comfort": Tune(-0.4, factor(0.68), factor(1.1), -2.2, -0.8),
    "praise": Tune(1.3, factor(1.35), gain_db=0.9, accent=factor(1.2), stretch=factor(1.15)),
    "thank": Tune(0.6, factor(1.15), end_st=-1.0),
    "apologise": Tune(-0.9, factor(0.72), factor(1.1), -1.8, -1.2),
    "greet": Tune(1.2, factor(1.25), end_st=1.6, last_stretch=factor(1.1)),
    "farewell": Tune(0.4, factor(1.1), factor(1.03), -0.3, 1.0, last_stretch=factor(1.25)),
    "address": Tune(gain_db=0.4, end_st=1.0, accent=factor(1.1), pause_after=3.0),
    "quote": Tune(1.4, factor(1.22), factor(0.97), 0.6, pause_before=2.0),
    "joke": Tune(0.5, factor(1.15), factor(0.97)),
    "irony": Tune(-1.3, factor(0.7), factor(1.2), 0.3, -1.2, stretch=factor(1.15)),
    "warn": Tune(-0.6, factor(0.92), factor(1.06), 1.7, -1.6, factor(1.3)),
    "relieve": Tune(-0.2, factor(1.1), factor(1.1), -0.6, -3.0, last_stretch=factor(1.3), pause_after=3.0, breath_db=4.0),
    "wish": Tune(0.5, factor(1.1), factor(1.05), -0.4, 0.8, last_stretch=factor(1.1)),
}
