"""Held-out responses to prove meaning on: words, states, what each phrase does and feels like, and the teacher's own motion.

Read from a data set's shards; nothing is generated here. Shapes: W words, P phrases, N functions, F motion frames.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from a2llm.data.hidden import WordStates, load_hidden
from a2llm.data.shards import Utterance, read_shards
from a2llm.talker.style import Style

TEXT = "text.jsonl"


@dataclass(frozen=True)
class Labels:
    """functions [P, N] 0 or 1, affects [P, 5] shares, words [P, 2] first and last word + 1 of every phrase."""

    functions: np.ndarray
    affects: np.ndarray
    words: np.ndarray


@dataclass(frozen=True)
class Example:
    """Motion [F, 61] whose phrases are spoken in spans [P, 2], first and last motion frame + 1."""

    motion: np.ndarray
    spans: np.ndarray
    labels: Labels


@dataclass(frozen=True)
class Case:
    """One response. dialogue: what belongs together when cases are drawn; pair: shared by cases with the same words. taught: the
    teacher's performance."""

    sample: int
    text: str
    dialogue: str
    pair: str
    states: WordStates
    style: Style
    taught: Example


def labels_of(utterance: Utterance) -> Labels:
    """Labels of an utterance's phrases."""
    starts = np.flatnonzero(np.diff(utterance.phrases.astype(int), prepend=-1))
    ends = np.append(starts[1:], len(utterance.phrases))
    return Labels(utterance.functions[starts].astype(np.float32), utterance.affects[starts].astype(np.float32), np.stack((starts, ends), 1))


def spans_of(labels: Labels, owners: np.ndarray, durations: np.ndarray) -> np.ndarray:
    """Motion frames [P, 2], first and last + 1, of the labels' phrases, from each phone's word and duration in units, which are motion
    frames; a phrase without a phone is an empty span."""
    ends = np.cumsum(durations.astype(int))
    starts = ends - durations.astype(int)
    found = np.zeros((len(labels.words), 2), int)
    for index, (first, last) in enumerate(labels.words):
        inside = (owners >= first) & (owners < last)
        found[index] = (starts[inside].min(), ends[inside].max()) if inside.any() else found[index - 1, 1]
    return found


def example_of(utterance: Utterance) -> Example:
    """The teacher's own motion."""
    labels = labels_of(utterance)
    return Example(utterance.motion, spans_of(labels, utterance.words.astype(int), utterance.durations), labels)


def read_cases(data: Path, limit: int | None = None) -> list[Case]:
    """Annotated held-out responses of a data set, each once, pairs first. Raises ValueError when there are none.

    limit: at most so many beside the pairs' contexts.
    """
    rows = [json.loads(line) for line in (data / TEXT).read_text().splitlines()]
    states, shards = load_hidden(data / "shards"), read_shards(data / "shards")
    found: dict[int, Case] = {}
    for u in shards:
        if u.split == "held_out" and u.annotated and u.sample in states:
            found.setdefault(u.sample, _case(u, rows[u.sample], states[u.sample]))
    pairs = _whole_pairs(list(found.values()))
    others = [case for case in found.values() if not any(case is pair for pair in pairs)]
    if not found:
        raise ValueError(f"{data} holds no annotated held-out responses with states")
    return pairs + (others if limit is None else others[:: max(1, len(others) // max(1, limit))][:limit])


def _case(utterance: Utterance, row: dict[str, Any], states: WordStates) -> Case:
    first = row["earlier"][0]["user"] if row.get("earlier") else row["question"]
    style = Style(None, utterance.expressiveness, utterance.voice)
    pair = str(row.get("pair", ""))
    return Case(utterance.sample, utterance.text, pair or str(first), pair, states, style, example_of(utterance))


def _whole_pairs(cases: list[Case]) -> list[Case]:
    """Cases of pairs of which two contexts or more are there, side by side."""
    names = [case.pair for case in cases if case.pair]
    chosen = [case for case in cases if names.count(case.pair) > 1]
    return sorted(chosen, key=lambda case: (case.pair, case.sample))
