"""The affect of a response as it moves from phrase to phrase: a level for each affect over time, and the face that shows it.

A feeling comes within half a second, gives way to the next one without passing through a blank face, and does not leave with the last
word: it is still there when the motion ends, and the idle face takes it from there.
"""

import numpy as np

from a2llm.affect import AFFECTS
from a2llm.data.expression import ATTACK_FRAMES, CURVE, MOTION_HZ, RELEASE_FRAMES, STYLES, edge_ramp, smooth, wander
from a2llm.data.face.moves import Stretch
from a2llm.data.score import Score
from a2llm.rig import ARKIT61

AFTERGLOW = 0.75  # of the last feeling is left at the end of the motion
EARLY_FRAMES = 5  # a face changes before the words do
GLIDE_FRAMES = 6.0  # sigma of the way from one feeling to the next: half a second in all
SURPRISE_S, SURPRISE_LEFT = 1.5, 0.75
MOST = 1.1
POSES = {name: ARKIT61.pose(style.pose) for name, style in STYLES.items()}
REST_POSES = {name: ARKIT61.pose(style.rest_pose) for name, style in STYLES.items()}


def affect_levels(score: Score, stretches: list[Stretch], frames: int, rng: np.random.Generator) -> np.ndarray:
    """Strength of each affect over time [F, 5], neutral's always 0."""
    levels = np.zeros((frames, len(AFFECTS)), np.float32)
    for index, (phrase, where) in enumerate(zip(score.phrases, stretches, strict=True)):
        if not phrase.affect.index:
            continue
        begin = max(where.start - EARLY_FRAMES, 0) if index else 0
        end = stretches[index + 1].start - EARLY_FRAMES if index + 1 < len(stretches) else frames
        course = np.full(max(end - begin, 0), min(phrase.affect.intensity**CURVE * score.expressiveness, MOST), np.float32)
        if phrase.affect.category == "surprise":
            course *= SURPRISE_LEFT + (1 - SURPRISE_LEFT) * np.exp(-np.arange(len(course)) / (SURPRISE_S * MOTION_HZ))
        levels[begin : begin + len(course), phrase.affect.index] = course
    hold = 1 + 0.1 * wander(frames, 1.6, rng)
    ramp = edge_ramp(frames, ATTACK_FRAMES, RELEASE_FRAMES, AFTERGLOW) * hold
    return np.stack([smooth(level, GLIDE_FRAMES) * ramp for level in levels.T], axis=1)


def blended(levels: np.ndarray, name: str) -> np.ndarray:
    """A number of the affects' styles over time [F]: neutral's, moved by each affect's level [F, 5]."""
    plain = getattr(STYLES["neutral"], name)
    return plain + levels @ np.array([getattr(STYLES[affect], name) - plain for affect in AFFECTS])


def add_affect(motion: np.ndarray, levels: np.ndarray, speaking: np.ndarray) -> None:
    """Adds the affects' poses at their levels [F, 5]; a pose's resting share only where the mouth is still (speaking [F])."""
    motion += levels @ np.stack([POSES[name] for name in AFFECTS])
    motion += (levels * (1 - speaking)[:, None]) @ np.stack([REST_POSES[name] for name in AFFECTS])
