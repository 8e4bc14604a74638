"""The talker's training set in memory: every utterance's frames as flat arrays, batches as rows of them.

A row starts where an utterance starts, as every response does, and is cut at a fixed number of frames.
T frames, P phones, D hidden width.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from a2llm.affect import Affect
from a2llm.data.shards import Utterance, read_shards
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.config import DURATION_AFTER, DURATION_BEFORE, DURATION_HISTORY
from a2llm.talker.frame_inputs import frame_inputs


@dataclass(frozen=True)
class TalkerBatch:
    """One batch. `mask` [B, T] is 0 on padding; the duration rows [N, ...] are flat over utterances."""

    phones: Tensor  # [B, T, 14]
    counts: Tensor  # [B, T, 4]
    hidden: Tensor  # [B, T, D]
    affect: Tensor  # [B, T, 5]
    audio: Tensor  # [B, T, 192]
    motion_codes: Tensor  # [B, 6, T]
    mask: Tensor  # [B, T]
    duration_phones: Tensor  # [N, 11]
    duration_past: Tensor  # [N, 4]
    duration_affect: Tensor  # [N, 5]
    duration_hidden: Tensor  # [N, D]
    durations: Tensor  # [N]


@dataclass(frozen=True)
class Prepared:
    """One utterance, ready to be stacked."""

    utterance: Utterance
    hidden: np.ndarray  # [W, D] float16
    motion_codes: np.ndarray  # [6, T] uint8

    @property
    def frames(self) -> int:
        return len(self.utterance.latents)


def load_hidden(folder: Path) -> dict[int, np.ndarray]:
    """Hidden states [W, D] of every text, by its line number."""
    files = sorted(folder.glob("hidden-*.npz"))
    out: dict[int, np.ndarray] = {}
    for file in files:
        with np.load(file) as data:
            cuts = np.cumsum(data["counts"])[:-1]
            out.update(zip(data["samples"].tolist(), np.split(data["hidden"], cuts), strict=True))
    return out


@torch.no_grad()
def encode_motion(codec: MotionCodec, utterances: list[Utterance], group: int = 32) -> list[np.ndarray]:
    """Motion codes [6, T] of every utterance; encoded in padded groups, which causality allows."""
    codes: list[np.ndarray] = [np.zeros(0)] * len(utterances)
    order = sorted(range(len(utterances)), key=lambda i: len(utterances[i].motion))
    for start in range(0, len(order), group):
        picks = order[start : start + group]
        motions = [torch.from_numpy(utterances[i].motion.astype(np.float32)) for i in picks]
        batch = torch.nn.utils.rnn.pad_sequence(motions, batch_first=True)
        found = codec.encode(batch).to(torch.uint8).numpy()
        for row, index in enumerate(picks):
            codes[index] = found[row, :, : len(utterances[index].latents)]
    return codes


class TalkerData:
    """All utterances of one split."""

    def __init__(self, prepared: list[Prepared], frames: int, hidden_size: int) -> None:
        if not prepared:
            raise ValueError("no utterance to train on")
        self.prepared, self.frames, self.hidden_size = prepared, frames, hidden_size

    @classmethod
    def load(cls, folder: Path, codec: MotionCodec, split: str, frames: int, hidden_size: int) -> "TalkerData":
        utterances = [u for u in read_shards(folder) if u.split == split]
        states = load_hidden(folder)
        empty = np.zeros((0, hidden_size), np.float16)
        codes = encode_motion(codec, utterances)
        return cls([Prepared(u, states.get(u.sample, empty), c) for u, c in zip(utterances, codes, strict=True)], frames, hidden_size)

    def batches(self, rows: int, seed: int, hidden_dropout: float, first: int = 0) -> Iterator[TalkerBatch]:
        """Random batches of similar length, for ever, from number `first` on."""
        rng = np.random.default_rng(seed)
        lengths = np.array([min(p.frames, self.frames) for p in self.prepared])
        while True:
            order = np.argsort(lengths + rng.uniform(-12, 12, len(lengths)))
            groups = [order[i : i + rows] for i in range(0, len(order) - rows + 1, rows)] or [order]
            rng.shuffle(groups)
            for group in groups:
                keep = rng.random(len(group)) >= hidden_dropout
                if first > 0:
                    first -= 1
                else:
                    yield self.batch([int(i) for i in group], keep)

    def batch(self, picks: list[int], keep_hidden: np.ndarray) -> TalkerBatch:
        """Stacks the utterances `picks` to one batch; keep_hidden [B], bool: rows that keep their hidden states."""
        rows = [self._row(self.prepared[i], bool(k)) for i, k in zip(picks, keep_hidden, strict=True)]
        frames = max(len(r["audio"]) for r in rows)
        stacked = {
            name: torch.from_numpy(np.stack([_pad(r[name], frames) for r in rows]))
            for name in ("phones", "counts", "hidden", "affect", "audio", "mask")
        }
        stacked["motion_codes"] = torch.from_numpy(np.stack([_pad(r["motion_codes"].T, frames).T for r in rows]))
        flat = {
            name: torch.from_numpy(np.concatenate([r[name] for r in rows]))
            for name in ("duration_phones", "duration_past", "duration_affect", "duration_hidden", "durations")
        }
        return TalkerBatch(**stacked, **flat)

    def _row(self, item: Prepared, keep_hidden: bool) -> dict[str, np.ndarray]:
        u = item.utterance
        frames = min(item.frames, self.frames)
        durations = u.durations.astype(np.int64)
        phones, words = u.phones.astype(np.int64), u.words.astype(np.int64)
        inputs = frame_inputs(phones, words, durations, 0, frames)
        affect = Affect(u.category, u.intensity).vector()
        states = item.hidden.astype(np.float32) if keep_hidden else np.zeros((0, self.hidden_size), np.float32)
        return {
            "phones": inputs.phones,
            "counts": inputs.counts,
            "hidden": _states(states, inputs.words),
            "affect": np.tile(affect, (frames, 1)),
            "audio": u.latents[:frames].astype(np.float32),
            "motion_codes": item.motion_codes[:, :frames].astype(np.int64),
            "mask": np.ones(frames, np.float32),
            "duration_phones": _contexts(phones),
            "duration_past": _pasts(durations),
            "duration_affect": np.tile(affect, (len(phones), 1)),
            "duration_hidden": _states(states, words),
            "durations": durations,
        }


def _states(states: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Hidden state of each word index [N, D]; zeros where there is none."""
    padded = np.concatenate((states, np.zeros((1, states.shape[1]), np.float32)))
    return padded[np.where((words >= 0) & (words < len(states)), words, len(states))]


def _contexts(phones: np.ndarray) -> np.ndarray:
    padded = np.pad(phones, (DURATION_BEFORE, DURATION_AFTER))
    return np.lib.stride_tricks.sliding_window_view(padded, DURATION_BEFORE + 1 + DURATION_AFTER).copy()


def _pasts(durations: np.ndarray) -> np.ndarray:
    padded = np.pad(durations[:-1], (DURATION_HISTORY, 0))
    return np.lib.stride_tricks.sliding_window_view(padded, DURATION_HISTORY).copy()


def _pad(x: np.ndarray, frames: int) -> np.ndarray:
    return np.pad(x, ((0, frames - len(x)), *((0, 0),) * (x.ndim - 1)))
