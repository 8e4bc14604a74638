"""What the talker is told about each frame: the phones around it, how far into them it is, and the word.

One function serves training (a whole utterance) and streaming (frames as their look-ahead becomes
known). P phones, U units of 25 ms, T frames of two units.
"""

from dataclasses import dataclass

import numpy as np

from a2llm.talker.config import COUNT_CLIP, NEXT_PHONES, UNITS_AFTER, UNITS_BEFORE


@dataclass(frozen=True)
class FrameInputs:
    """phones [T, 14] ids, counts [T, 4] in 0..15, words [T] index of the word being spoken (-1: none)."""

    phones: np.ndarray
    counts: np.ndarray
    words: np.ndarray


def frame_inputs(phones: np.ndarray, words: np.ndarray, durations: np.ndarray, first: int, last: int) -> FrameInputs:
    """Inputs of frames first..last-1. `durations` may be shorter than `phones`: the rest is not timed yet.

    Positions outside the utterance read phone 0 (silence).
    """
    owner = np.repeat(np.arange(len(durations)), durations)  # [U] phone of each unit
    starts = np.cumsum(durations) - durations
    frames = np.arange(first, last)
    centre = np.minimum(2 * frames + 1, len(owner) - 1)
    window = 2 * frames[:, None] + np.arange(-UNITS_BEFORE, UNITS_AFTER)
    inside = (window >= 0) & (window < len(owner))
    around = np.where(inside, phones[owner[np.clip(window, 0, len(owner) - 1)]], 0)
    following = owner[centre][:, None] + 1 + np.arange(NEXT_PHONES)
    known = following < len(phones)
    ahead = np.where(known, phones[np.minimum(following, len(phones) - 1)], 0)
    halves = np.minimum(2 * frames[:, None] + np.arange(2), len(owner) - 1)
    current = owner[halves]
    elapsed = halves - starts[current]
    remaining = durations[current] - 1 - elapsed
    counts = np.clip(np.concatenate((elapsed, remaining), 1), 0, COUNT_CLIP)
    return FrameInputs(np.concatenate((around, ahead), 1).astype(np.int64), counts.astype(np.int64),
                       words[owner[centre]].astype(np.int64))


def frames_ready(durations: np.ndarray, ended: bool) -> int:
    """How many frames have their whole look-ahead timed; all of them (rounded up) once the text ended."""
    units = int(durations.sum())
    return -(-units // 2) if ended else max(0, (units - UNITS_AFTER) // 2 + 1)
