"""Gaze of a speaker: at the listener or away, as people in conversation do, and the eyes that follow a moving head.

The numbers are statistics of 19 people speaking (2.75 h of fixations) in "Eye Movement in a Controlled Dialogue Setting" (Dembinsky,
Watanabe, Dengel, Ishimaru, ETRA 2024; Apache-2.0), counted from where each person looks while listening. Angles in radians.
"""

import numpy as np

from a2llm.data.expression import MOTION_HZ

AWAY_DEG = 6.0  # further from the listener than this is looking away, there as here
AWAY_SHARE = 0.40  # of the time of fixations while speaking; quartiles of people .21 and .46
AWAY_S = (0.60, 0.57)  # how long a look away lasts: median, sigma of its logarithm (quartiles .42 and .91 s, long ones included)
ON_SIGMA = 0.66  # of a look at the listener (quartiles .44 and 1.09 s, cut short by the segments; its median follows from the share)
DIRECTIONS = ((0.0, -1.0, 0.23), (0.0, 1.0, 0.09), (1.0, 0.0, 0.39), (-1.0, 0.0, 0.29))  # yaw, pitch, share of looks away
ECCENTRICITY_DEG = (13.0, 0.35, 8.0, 24.0)  # median, sigma of its logarithm, least and most; theirs is 20 on a screen's edge
STEADY = (0.022, 0.028)  # spread of fixations on the listener, yaw and pitch: 1.4 and 1.8 degrees there, trackers' noise included
FIXATION_S = 0.4
FREE_AWAY = 0.64  # share of looking away where nothing holds the eyes; what questions and endings hold brings it to AWAY_SHARE


def _away(rng: np.random.Generator) -> tuple[float, float]:
    """A place to look at that is not the listener."""
    yaw, pitch, _ = DIRECTIONS[rng.choice(len(DIRECTIONS), p=[share for _, _, share in DIRECTIONS])]
    middle, sigma, least, most = ECCENTRICITY_DEG
    size = np.radians(np.clip(rng.lognormal(np.log(middle), sigma), least, most))
    return size * (yaw + rng.normal(0, 0.25)), size * (pitch + rng.normal(0, 0.25))


def looks(frames: int, held: np.ndarray, starts_away: bool, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Gaze in space: yaw [F] and pitch [F], 0 at the listener, who is looked at wherever `held` [F] says so."""
    yaw, pitch = np.zeros(frames), np.zeros(frames)
    mean_away = AWAY_S[0] * np.exp(AWAY_S[1] ** 2 / 2)
    on = mean_away * (1 - FREE_AWAY) / FREE_AWAY / np.exp(ON_SIGMA**2 / 2)
    at, away = 0, starts_away
    while at < frames:
        median, sigma = AWAY_S if away else (on, ON_SIGMA)
        end = at + max(int(rng.lognormal(np.log(median), sigma) * MOTION_HZ), 8)
        place = _away(rng) if away else (0.0, 0.0)
        while at < end:
            until = min(end, at + max(int(rng.gamma(3, FIXATION_S / 3) * MOTION_HZ), 5))
            yaw[at:until], pitch[at:until] = place[0] + rng.normal(0, STEADY[0] / 2), place[1] + rng.normal(0, STEADY[1] / 2)
            at = until
        away = not away
    kept = held > 0
    yaw[kept] = np.clip(yaw[kept], -STEADY[0], STEADY[0])
    pitch[kept] = np.clip(pitch[kept], -STEADY[1], STEADY[1])
    return yaw, pitch


def saccadic(track: np.ndarray) -> np.ndarray:
    """The same places, reached in the 50 to 75 ms that a saccade takes."""
    return np.convolve(np.pad(track, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")


def away_share(motion_yaw: np.ndarray, motion_pitch: np.ndarray) -> float:
    """Share of frames whose gaze in space, yaw [F] and pitch [F], is further than AWAY_DEG from the listener."""
    return float((np.hypot(motion_yaw, motion_pitch) > np.radians(AWAY_DEG)).mean())
