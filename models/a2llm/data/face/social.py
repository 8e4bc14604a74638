"""Forms of what is done to the listener: questions, requests, feeling with them, thanks, greetings, warnings, wishes.

One function each, its source in its docstring. Sizes: see `forms`.
"""

from a2llm.data.face.moves import Move
from a2llm.data.face.place import Place


def ask(place: Place) -> tuple[Move, ...]:
    """Brows up to the end where yes or no is wanted, drawn together after a question word; head forward or tilted, held with the
    eyes on the listener (Ekman 1979; Srinivasan & Massaro 2003; Cassell et al. 1994)."""
    if place.open_question:
        return (
            Move("frown", "hold", 0.55, 0.35, "start", 0.88),
            Move("roll", "hold", 0.085 * place.side, 0.5, "start", 0.75),
            Move("pitch", "hold", 0.06, 0.4, "stress", 0.6),
            Move("wide", "hold", 0.25, 0.3, "stress", 0.5),
        )
    return (
        Move("brows", "hold", 0.65, 0.35, "stress", 0.9, lead_s=0.2),
        Move("pitch", "hold", -0.075, 0.45, "stress", 0.8, lead_s=0.1),
        Move("wide", "hold", 0.35, 0.3, "stress", 0.6),
    )


def request(place: Place) -> tuple[Move, ...]:
    """The head bends towards the listener and dips on the word that says what to do; the brows underline it (Poggi & Pelachaud 2000,
    performatives of requesting and advising; Ekman 1979, batons)."""
    return (
        Move("pitch", "hold", 0.07, 0.45, "start", 0.85),
        Move("pitch", "beat", 0.085, 0.55, "stress", 0.8),
        Move("brows", "hold", 0.3, 0.35, "start", 0.65),
        Move("wide", "hold", 0.3, 0.35, "start", 0.55),
    )


def offer(place: Place) -> tuple[Move, ...]:
    """The head goes aside and opens, brows raised, a smile that asks (Poggi & Pelachaud 2000; Chovil 1991)."""
    return (
        Move("roll", "hold", -0.12 * place.side, 0.5, "start", 0.88),
        Move("smile", "hold", 0.38, 0.5, "start", 0.75),
        Move("brows", "hold", 0.5, 0.35, "start", 0.75),
        Move("pitch", "beat", 0.07, 0.6, "end", 0.5, lead_s=0.15),
    )


def react(place: Place) -> tuple[Move, ...]:
    """Head up and back in a flick, brows and lids up, at once (Ekman 1979; Chovil 1991, personal reactions)."""
    return (
        Move("pitch", "beat", -0.125, 0.6, "start", 0.9, lead_s=-0.12),
        Move("brows", "beat", 0.75, 0.8, "start", 0.85, lead_s=-0.1),
        Move("wide", "beat", 0.6, 0.7, "start", 0.75, lead_s=-0.1),
    )


def empathise(place: Place) -> tuple[Move, ...]:
    """The other's feeling on one's own face: inner brows up, head tilted, a slow nod (Bavelas et al. 1986, motor mimicry)."""
    return (
        Move("inner", "hold", 0.6, 0.6, "start", 0.9),
        Move("roll", "hold", 0.115 * place.side, 0.7, "start", 0.85),
        Move("pitch", "beat", 0.06, 1.1, "stress", 0.6, lead_s=0.0),
        Move("lids", "hold", 0.15, 0.5, "start", 0.5),
    )


def comfort(place: Place) -> tuple[Move, ...]:
    """A soft smile that grows slowly, small slow nods, long lids (Krumhuber & Kappas 2005 on slow onsets; Heylen 2006)."""
    return (
        Move("pitch", "nods", 0.075, 0.85, "start", 0.88, 3, 0.0),
        Move("smile", "hold", 0.3, 0.9, "start", 0.8),
        Move("lids", "beat", 0.8, 0.7, "stress", 0.65, lead_s=-0.15),
        Move("inner", "hold", 0.25, 0.6, "start", 0.55),
    )


def praise(place: Place) -> tuple[Move, ...]:
    """Head back and aside in admiration, full smile, brows up (Chovil 1991; Poggi 2007)."""
    return (
        Move("smile", "hold", 0.7, 0.35, "start", 0.9),
        Move("pitch", "hold", -0.085, 0.4, "start", 0.82),
        Move("brows", "beat", 0.55, 0.8, "stress", 0.75),
        Move("roll", "hold", -0.06 * place.side, 0.4, "start", 0.55),
    )


def thank(place: Place) -> tuple[Move, ...]:
    """A bow of the head with closing lids and a smile; our own form, after the bow of deference (Poggi 2007)."""
    return (
        Move("pitch", "beat", 0.22, 1.1, "start", 0.92, lead_s=-0.35),
        Move("lids", "beat", 0.9, 0.75, "start", 0.75, lead_s=-0.35),
        Move("smile", "hold", 0.4, 0.4, "start", 0.7),
    )


def apologise(place: Place) -> tuple[Move, ...]:
    """Head and eyes go down and stay, inner brows up, lips pressed (Keltner 1995, appeasement)."""
    return (
        Move("pitch", "hold", 0.14, 0.5, "start", 0.9),
        Move("gaze_pitch", "beat", 0.25, 1.0, "start", 0.8, lead_s=-0.4),
        Move("inner", "hold", 0.55, 0.45, "start", 0.8),
        Move("press", "beat", 0.5, 0.6, "end", 0.5, lead_s=-0.1),
    )


def greet(place: Place) -> tuple[Move, ...]:
    """Head toss and dip with the eyebrow flash and a smile (Kendon & Ferber 1973; Eibl-Eibesfeldt 1972)."""
    return (
        Move("pitch", "shakes", -0.11, 0.75, "start", 0.92, 1, 0.1),
        Move("brows", "beat", 0.85, 0.5, "start", 0.88, lead_s=-0.12),
        Move("smile", "hold", 0.55, 0.35, "start", 0.85),
    )


def farewell(place: Place) -> tuple[Move, ...]:
    """A tilted head, a nod on the parting word, smile and lids lowered, eyes that leave at the end (Knapp et al. 1973)."""
    return (
        Move("roll", "hold", -0.13 * place.side, 0.5, "start", 0.88),
        Move("pitch", "nods", 0.15, 0.6, "start", 0.92, 2, 0.0),
        Move("smile", "hold", 0.5, 0.5, "start", 0.8),
        Move("gaze_pitch", "beat", 0.22, 0.7, "end", 0.6, lead_s=-0.2),
    )


def address(place: Place) -> tuple[Move, ...]:
    """The head comes to the listener, chin out and tilted, brows up for a moment, and stays there with wide eyes (Kendon 1967 on looks
    that claim attention; the tilt is ours)."""
    return (
        Move("brows", "beat", 0.6, 0.45, "start", 0.85, lead_s=-0.08),
        Move("roll", "hold", 0.1 * place.side, 0.35, "start", 0.85),
        Move("pitch", "hold", -0.06, 0.35, "start", 0.8),
        Move("wide", "hold", 0.45, 0.25, "start", 0.8),
    )


def warn(place: Place) -> tuple[Move, ...]:
    """Head lowered under a frown with the lids up, held on the listener, firm beats (Poggi & Pelachaud 2000, warning; Ekman 1979)."""
    return (
        Move("frown", "hold", 0.75, 0.3, "start", 0.9),
        Move("wide", "hold", 0.5, 0.3, "start", 0.8),
        Move("pitch", "hold", 0.1, 0.35, "start", 0.82),
        Move("yaw", "shakes", 0.035 * place.side, 0.4, "stress", 0.5, 2, 0.1),
    )


def relieve(place: Place) -> tuple[Move, ...]:
    """Lids close, the head sinks, air leaves through the lips, then a smile (Vlemincx et al. 2009 on sighs of relief; Poggi 2007)."""
    return (
        Move("lids", "beat", 1.0, 1.0, "start", 0.85, lead_s=-0.3),
        Move("puff", "beat", 0.55, 0.6, "start", 0.75, lead_s=0.1),
        Move("pitch", "sweep", 0.09, chance=0.8),
        Move("smile", "hold", 0.4, 0.6, "stress", 0.6),
    )


def hope(place: Place) -> tuple[Move, ...]:
    """Head and eyes lifted, inner brows up, a smile that begins (Poggi 2007; Chovil 1991)."""
    return (
        Move("gaze_pitch", "beat", -0.22, 1.2, "start", 0.85, lead_s=-0.4),
        Move("pitch", "hold", -0.1, 0.6, "start", 0.85),
        Move("inner", "hold", 0.4, 0.5, "start", 0.7),
        Move("smile", "hold", 0.35, 0.7, "stress", 0.65),
    )
