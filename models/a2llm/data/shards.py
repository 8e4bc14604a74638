"""Utterances on disk: a folder of numbered .npz shards, each written whole or not at all.

P phones, W words, N functions, T audio frames, U = 2T motion frames. Ragged arrays are joined along their first
axis; `lengths` cut them apart again.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ARRAYS = ("phones", "words", "durations", "latents", "motion", "f0_hz", "functions", "affects", "phrases")
FACTS = ("sample", "text", "category", "intensity", "split", "voice", "expressiveness", "forced", "annotated")


@dataclass(frozen=True)
class Utterance:
    """One text as it was performed.

    phones [P] ids, words [P] word index, durations [P] units, latents [T, 192], motion [U, 61], f0_hz [2U]; of every word the functions
    [W, N] of its phrase, 0 or 1, its affect's vector [W, 5], and the phrase's number [W]. category, intensity: of the whole. forced: that
    affect was asked for, and is not what the words mean. annotated: the functions are known. voice: its index among the plan's.
    """

    sample: int  # line of the text file
    text: str
    category: str
    intensity: float
    split: str
    phones: np.ndarray
    words: np.ndarray
    durations: np.ndarray
    latents: np.ndarray
    motion: np.ndarray
    f0_hz: np.ndarray
    functions: np.ndarray
    affects: np.ndarray
    phrases: np.ndarray
    voice: int = 0
    expressiveness: float = 1.0
    forced: bool = False
    annotated: bool = False


def write_shard(file: Path, utterances: list[Utterance]) -> None:
    """Writes utterances into one .npz file, atomically."""
    arrays = {name: np.concatenate([getattr(u, name) for u in utterances]) for name in ARRAYS}
    lengths = np.array([[len(getattr(u, name)) for name in ARRAYS] for u in utterances], np.int32)
    facts = [{name: getattr(u, name) for name in FACTS} for u in utterances]
    save_arrays(file, arrays | {"lengths": lengths, "facts": np.array(json.dumps(facts))})


def save_arrays(file: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write an .npz whole or not at all. What a killed process leaves is found by no pattern and overwritten by the next."""
    temporary = file.with_name(f".{file.name}")
    np.savez(temporary, allow_pickle=False, **arrays)
    temporary.replace(file)


def save_array(file: Path, array: np.ndarray) -> None:
    """Write one .npy whole or not at all."""
    temporary = file.with_name(f".{file.name}")
    np.save(temporary, array, allow_pickle=False)
    temporary.replace(file)


def read_shard(file: Path) -> Iterator[Utterance]:
    with np.load(file) as data:
        facts: list[dict[str, Any]] = json.loads(str(data["facts"]))
        cuts = np.cumsum(data["lengths"], axis=0)
        columns = {name: np.split(data[name], cuts[:-1, i]) for i, name in enumerate(ARRAYS)}
    for index, fact in enumerate(facts):
        arrays: dict[str, Any] = {name: columns[name][index] for name in ARRAYS}
        yield Utterance(**fact, **arrays)


def read_shards(folder: Path) -> Iterator[Utterance]:
    """Every utterance of a data folder, in order. Raises ValueError when there is none."""
    files = sorted(folder.glob("speech-*.npz"))
    if not files:
        raise ValueError(f"{folder} holds no speech shards: run `a2 data build` first")
    for file in files:
        yield from read_shard(file)
