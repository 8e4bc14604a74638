"""Inputs of the talker for each frame: the phones around it, how far into them it is, and the word.

`frame_inputs` serves training (a whole utterance), `one_frame` streaming (frames as their look-ahead
becomes known); a test proves them equal. P phones, U units of 25 ms, T frames of two units.
"""

from collections.abc import Sequence
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
    """Inputs of frames first..last-1 from phones [P], words [P] and durations [<= P]: phones without a duration are not timed yet.

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
    return FrameInputs(np.concatenate((around, ahead), 1).astype(np.int64), counts.astype(np.int64), words[owner[centre]].astype(np.int64))


def one_frame(
    phones: Sequence[int], owners: Sequence[int], starts: Sequence[int], durations: Sequence[int], frame: int
) -> tuple[list[int], list[int], int]:
    """`frame_inputs` for one frame of an utterance that still grows, without a pass over all of it.

    owners [U] phone of each unit, starts [P] first unit of each timed phone -> phones [14], counts [4] and the
    index of the phone in the frame's middle.
    """
    first, last = 2 * frame, len(owners) - 1
    window = range(first - UNITS_BEFORE, first + UNITS_AFTER)
    around = [phones[owners[unit]] if 0 <= unit <= last else 0 for unit in window]
    halves = min(first, last), min(first + 1, last)
    current = [owners[unit] for unit in halves]
    ahead = list(phones[current[1] + 1 : current[1] + 1 + NEXT_PHONES])
    elapsed = [unit - starts[phone] for unit, phone in zip(halves, current, strict=True)]
    remaining = [durations[phone] - 1 - past for past, phone in zip(elapsed, current, strict=True)]
    counts = [min(count, COUNT_CLIP) for count in (*elapsed, *remaining)]
    return around + ahead + [0] * (NEXT_PHONES - len(ahead)), counts, current[1]


def frames_ready(units: int, ended: bool) -> int:
    """How many frames have their whole look-ahead timed; all of them (rounded up) once every phone is timed."""
    return -(-units // 2) if ended else max(0, (units - UNITS_AFTER) // 2 + 1)
