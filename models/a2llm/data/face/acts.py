"""The acting of a score: which forms its phrases show, when, and the beats on its stressed words, as tracks of the channels.

Reads the score and the words' times; draws chance from the generator that it is given. It adds nothing to a mouth or to a resting head.
"""

from dataclasses import replace

import numpy as np

from a2llm.data.face.forms import FORMS
from a2llm.data.face.moves import GAZE, HEAD, POSES, Move, Stretch, chosen, draw
from a2llm.data.face.place import Place
from a2llm.data.prosody import Timeline, in_run, is_open_question
from a2llm.data.score import Score
from a2llm.data.visemes import PAUSES

SECOND = 0.85  # size of the form of a function that stands second
SHOWN = 0.95  # how often a function shows at all in head and face
LISTENER = frozenset(
    ("ask", "request", "warn", "address", "greet", "thank", "comfort", "empathise", "praise", "offer", "farewell", "react")
)
WATCHED = 0.6  # how often such a phrase keeps its eyes on the listener
# Beats of stressed words: Ekman's batons (1979), with the head (Hadar et al. 1983); a contrast larger.
BEATS = {
    "emphasis": (Move("pitch", "beat", 0.05, 0.42, chance=0.7), Move("brows", "beat", 0.26, 0.45, chance=0.4)),
    "contrast": (
        Move("pitch", "beat", 0.065, 0.42, chance=0.7),
        Move("brows", "beat", 0.4, 0.45, chance=0.6),
        Move("roll", "beat", 0.05, 0.5, chance=0.5),
    ),
}

Tracks = dict[str, np.ndarray]


def stretches_of(score: Score, time: Timeline, audible: np.ndarray) -> list[Stretch]:
    """Each phrase in frames. time: edges in motion frames; audible [F]: where the voice is heard, since a last phone may hold a pause."""
    found = []
    for phrase in score.phrases:
        places = np.flatnonzero((time.words >= phrase.start) & (time.words < phrase.end))
        places = [p for p in places if time.phones[p] not in PAUSES] or list(places) or [0]
        start, end = int(time.edges[places[0]]), int(time.edges[places[-1] + 1])
        heard = np.flatnonzero(audible[start:end])
        end = start + int(heard[-1]) + 1 if len(heard) else end
        spoken = set(time.words.tolist())
        words = sorted(word for word in phrase.stressed if word in spoken) or [int(time.words[places[-1]])]
        found.append(Stretch(start, max(end, start + 1), tuple(time.vowel(word)[0] for word in words), time.frames))
    return found


def _item(score: Score, index: int, name: str) -> int:
    """How many phrases of the same function stand before this one."""
    count = 0
    while in_run(score, index - count, name)[0]:
        count += 1
    return count


def _place(score: Score, index: int, name: str, side: float) -> Place:
    return Place(is_open_question(score.phrases[index], score), _item(score, index, name), not in_run(score, index, name)[1], side)


def act(score: Score, stretches: list[Stretch], frames: int, rng: np.random.Generator) -> tuple[Tracks, np.ndarray]:
    """Tracks [F] of all channels, and where the eyes are held on the listener [F]."""
    tracks = {name: np.zeros(frames, np.float32) for name in (*POSES, *GAZE)}
    held = np.zeros(frames, np.float32)
    side = float(rng.choice((-1.0, 1.0)))  # of the first item of a list, kept for the whole of it
    for index, (phrase, where) in enumerate(zip(score.phrases, stretches, strict=True)):
        for rank, name in enumerate(phrase.functions):
            turn = side if name == "list" else float(rng.choice((-1.0, 1.0)))
            shown, strength = rng.random() < SHOWN, score.expressiveness * (SECOND if rank else 1.0)
            for move in chosen(FORMS[name](_place(score, index, name, turn)), strength, rng) if shown else ():
                tracks[move.channel] += draw(move, where)
        _beat(tracks, score, index, where, rng)
        if LISTENER & set(phrase.functions) and rng.random() < WATCHED:
            held[max(where.start - 4, 0) : where.end + 8] = 1
    last = stretches[-1].end if stretches else frames
    if rng.random() < 0.9:  # eyes are back at the end of a turn (Kendon 1967)
        held[max(last - 20, 0) :] = 1
    return tracks, held


def _beat(tracks: Tracks, score: Score, index: int, where: Stretch, rng: np.random.Generator) -> None:
    """The stressed words of a phrase."""
    stressed = score.phrases[index].stressed
    for (_, kind), frame in zip(sorted(stressed.items()), where.stresses, strict=False):
        for move in BEATS[kind]:
            if rng.random() < move.chance:
                size = move.size * score.expressiveness * float(rng.lognormal(0, 0.3))
                side = float(rng.choice((-1.0, 1.0))) if move.channel == "roll" else 1.0
                tracks[move.channel] += draw(replace(move, size=size * side), replace(where, stresses=(frame,)))


def add_faces(motion: np.ndarray, tracks: Tracks) -> None:
    """Adds the poses of the channels to motion [F, 61]; the head's and the eyes' are for others to add."""
    names = [name for name in POSES if name not in HEAD]
    motion += np.stack([tracks[name] for name in names], axis=1) @ np.stack([POSES[name] for name in names])
