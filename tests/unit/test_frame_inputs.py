"""Inputs of the talker for a frame are the same while the text still grows as afterwards."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from a2llm.talker.config import DURATION_AFTER
from a2llm.talker.frame_inputs import frame_inputs, frames_ready, one_frame

DURATIONS = st.lists(st.integers(0, 9), min_size=1, max_size=40).filter(any)


def spread(durations: list[int]) -> tuple[list[int], list[int]]:
    """Phone of each unit, first unit of each phone."""
    return [p for p, units in enumerate(durations) for _ in range(units)], list(np.cumsum(durations) - durations)


@settings(max_examples=60, deadline=None)
@given(DURATIONS)
def test_one_frame_equals_the_whole(durations: list[int]):
    phones, words = [p + 1 for p in range(len(durations))], [p // 3 for p in range(len(durations))]
    frames = frames_ready(sum(durations), ended=True)
    whole = frame_inputs(np.array(phones), np.array(words), np.array(durations), 0, frames)
    for frame in range(frames):
        around, counts, owner = one_frame(phones, *spread(durations), durations, frame)
        assert around == whole.phones[frame].tolist()
        assert counts == whole.counts[frame].tolist()
        assert words[owner] == whole.words[frame]


@settings(max_examples=60, deadline=None)
@given(DURATIONS, st.data())
def test_what_is_not_yet_timed_changes_nothing(durations: list[int], data):
    """A stream knows phones up to `known`, and durations up to the last phone whose context is known."""
    phones = [p + 1 for p in range(len(durations))]
    known = data.draw(st.integers(0, len(durations)))
    timed = durations[: max(0, known - DURATION_AFTER)]
    for frame in range(frames_ready(sum(timed), ended=False)):
        partial = one_frame(phones[:known], *spread(timed), timed, frame)
        assert partial == one_frame(phones, *spread(durations), durations, frame)


def test_a_small_utterance_by_hand():
    inputs = frame_inputs(np.array([5, 6, 7]), np.array([0, 0, 1]), np.array([3, 0, 2]), 0, 3)
    assert inputs.phones[0].tolist() == [0, 0, 5, 5, 5, 7, 7, 0, 6, 7, 0, 0, 0, 0]
    assert inputs.counts.tolist() == [[0, 1, 2, 1], [2, 0, 0, 1], [1, 1, 0, 0]]
    assert inputs.words.tolist() == [0, 1, 1]


def test_counts_are_clipped():
    assert frame_inputs(np.array([3]), np.array([0]), np.array([40]), 0, 1).counts.tolist() == [[0, 1, 15, 15]]


def test_frames_ready():
    assert [frames_ready(units, ended=True) for units in (0, 1, 5, 6)] == [0, 1, 3, 3]
    assert [frames_ready(units, ended=False) for units in (0, 5, 6, 7, 8)] == [0, 0, 1, 1, 2]
