"""Forms of what is said and of how it is meant: answers, stances, items, beats of meaning, other people's words, jokes.

One function each, its source in its docstring. Sizes: see `forms`.
"""

from a2llm.data.face.moves import Move
from a2llm.data.face.place import Place


def inform(place: Place) -> tuple[Move, ...]:
    """Nothing of its own: a statement is carried by its accents (Hadar et al. 1983; Graf et al. 2002)."""
    return ()


def affirm(place: Place) -> tuple[Move, ...]:
    """Repeated nods from the first word on (Darwin 1872; McClave 2000, affirmation)."""
    return (
        Move("pitch", "nods", 0.115, 0.42, "start", 0.95, 3, 0.08),
        Move("brows", "beat", 0.22, 0.5, "start", 0.4),
    )


def negate(place: Place) -> tuple[Move, ...]:
    """The head is shaken, also where no "no" is spoken (McClave 2000; Kendon 2002)."""
    return (
        Move("yaw", "shakes", 0.125 * place.side, 0.5, "start", 0.95, 3, 0.12),
        Move("frown", "hold", 0.25, 0.3, "start", 0.45),
    )


def agree(place: Place) -> tuple[Move, ...]:
    """One slow, deep nod of taking the other's stance (Stivers 2008), lips drawn in, lids falling with the head."""
    return (
        Move("pitch", "beat", 0.15, 1.15, "stress", 0.92, lead_s=0.0),
        Move("press", "beat", 0.5, 0.6, "start", 0.75, lead_s=0.12),
        Move("lids", "beat", 0.55, 0.8, "stress", 0.7, lead_s=0.0),
    )


def disagree(place: Place) -> tuple[Move, ...]:
    """A single turn away and a tilt back instead of a shake, one brow raised, the chin up (Poggi 2007; Kendon 2002)."""
    return (
        Move("yaw", "beat", 0.16 * place.side, 1.0, "start", 0.9, lead_s=-0.2),
        Move("one_brow", "hold", 0.75, 0.35, "start", 0.85),
        Move("pitch", "hold", -0.05, 0.4, "start", 0.7),
    )


def unsure(place: Place) -> tuple[Move, ...]:
    """Mouth shrug and a head that rocks to the shoulders; brows up, gaze aside (McClave 2000, lateral movements of uncertainty;
    Swerts & Krahmer 2005; Debras 2017)."""
    return (
        Move("shrug", "hold", 0.6, 0.35, "start", 0.85),
        Move("roll", "shakes", 0.11 * place.side, 0.95, "start", 0.9, 2, 0.1),
        Move("brows", "hold", 0.4, 0.35, "start", 0.6),
        Move("gaze_yaw", "beat", 0.3 * place.side, 1.2, "start", 0.6, lead_s=-0.2),
    )


def list_item(place: Place) -> tuple[Move, ...]:
    """Every item has its place: the head goes to one side and to the other, with a beat (McClave 2000, lists)."""
    side = place.side * (1 if place.item % 2 == 0 else -1)
    return (
        Move("yaw", "hold", 0.115 * side, 0.3, "start", 0.9),
        Move("pitch", "beat", 0.075, 0.4, "stress", 0.8),
        Move("roll", "hold", -0.04 * side, 0.3, "start", 0.5),
    )


def contrast(place: Place) -> tuple[Move, ...]:
    """One thing on one side, the other on the other, turned about at the word (McClave 2000, alternatives)."""
    return (
        Move("yaw", "step", 0.12 * place.side, 0.3, "stress", 0.95),
        Move("roll", "step", 0.1 * place.side, 0.3, "stress", 0.88),
        Move("brows", "beat", 0.4, 0.45, "stress", 0.6),
    )


def emphasise(place: Place) -> tuple[Move, ...]:
    """A strong beat of the head on the stressed vowel with a raise of the brows (Ekman 1979, batons; Hadar et al. 1983)."""
    return (
        Move("pitch", "beat", 0.16, 0.4, "stress", 0.95),
        Move("brows", "beat", 0.7, 0.45, "stress", 0.85),
        Move("wide", "beat", 0.5, 0.4, "stress", 0.65),
    )


def intensify(place: Place) -> tuple[Move, ...]:
    """A small quick shake beside the strengthening word, eyes narrowed (McClave 2000, intensification; Kendon 2002)."""
    return (
        Move("yaw", "shakes", 0.085 * place.side, 0.27, "stress", 0.96, 4, 0.3),
        Move("squint", "beat", 0.85, 0.9, "stress", 0.85),
        Move("frown", "beat", 0.35, 0.7, "stress", 0.45),
    )


def include(place: Place) -> tuple[Move, ...]:
    """A wide sweep from side to side, in an arc (McClave 2000, inclusivity)."""
    return (
        Move("yaw", "sweep", 0.2 * place.side, chance=0.97),
        Move("roll", "sweep", -0.08 * place.side, chance=0.9),
        Move("brows", "hold", 0.28, 0.4, "start", 0.5),
    )


def recall(place: Place) -> tuple[Move, ...]:
    """Eyes up and aside while searching, head a little with them, brows drawn together; back when it is found (Glenberg et al. 1998;
    Doherty-Sneddon & Phelps 2005; Chovil 1991, facial displays of thinking)."""
    return (
        Move("gaze_pitch", "hold", -0.24, 0.12, "start", 0.95, lead_s=0.2),
        Move("gaze_yaw", "hold", 0.24 * place.side, 0.12, "start", 0.9, lead_s=0.2),
        Move("pitch", "hold", -0.06, 0.5, "start", 0.75),
        Move("frown", "hold", 0.3, 0.4, "start", 0.6),
        Move("press", "beat", 0.35, 0.6, "start", 0.4, lead_s=0.25),
    )


def quote(place: Place) -> tuple[Move, ...]:
    """Head and eyes turn aside for another's words and come back with one's own (McClave 2000, direct quotes)."""
    return (
        Move("yaw", "hold", 0.2 * place.side, 0.35, "start", 0.92, lead_s=0.1),
        Move("gaze_yaw", "hold", 0.3 * place.side, 0.15, "start", 0.85, lead_s=0.1),
        Move("brows", "hold", 0.3, 0.3, "start", 0.5),
        Move("roll", "hold", 0.05 * place.side, 0.35, "start", 0.5),
    )


def joke(place: Place) -> tuple[Move, ...]:
    """A smile held back that breaks out behind the point, eyes that narrow, the head nodding aside (Attardo et al. 2003; Chovil 1991)."""
    point = (
        Move("half_smile", "hold", 0.5, 0.5, "start", 0.85),
        Move("squint", "hold", 0.5, 0.4, "start", 0.75),
        Move("roll", "beat", 0.11 * place.side, 0.7, "stress", 0.75),
    )
    return (*point, Move("smile", "hold", 0.45, 0.4, "stress", 0.6)) if place.last else point


def irony(place: Place) -> tuple[Move, ...]:
    """One corner of the mouth, brows up over low lids, the head drawn back, eyes away (Attardo et al. 2003)."""
    return (
        Move("half_smile", "hold", 0.8, 0.4, "start", 0.85),
        Move("lids", "hold", 0.38, 0.4, "start", 0.85),
        Move("brows", "hold", 0.5, 0.4, "start", 0.75),
        Move("pitch", "hold", -0.075, 0.5, "start", 0.7),
        Move("gaze_yaw", "beat", -0.3 * place.side, 0.9, "stress", 0.6, lead_s=-0.1),
    )
