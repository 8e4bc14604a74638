"""The talker's training set: every utterance's frames as flat arrays, batches as rows of them; states stay on disk until they are wanted.

A row starts where an utterance starts, as every response does, and is cut at a fixed number of frames.
T frames, P phones, W words, Q words of the user, N functions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from a2llm.affect import Affect
from a2llm.data.hidden import WordStates, load_hidden
from a2llm.data.shards import Utterance, read_shards
from a2llm.motion_codec.codec import MotionCodec
from a2llm.talker.config import DURATION_AFTER, DURATION_BEFORE, DURATION_HISTORY, USER_WORDS, TalkerConfig
from a2llm.talker.frame_inputs import frame_inputs
from a2llm.talker.style import Style, style_vector

FITTED_ON = 2000  # utterances whose states say how a state's values spread


@dataclass(frozen=True)
class TalkerBatch:
    """One batch. `mask` [B, T] is 0 on padding; the duration rows [M, ...] are flat over utterances."""

    phones: Tensor  # [B, T, 14]
    counts: Tensor  # [B, T, 4]
    words: Tensor  # [B, T] word of each frame; W: none
    states: Tensor  # [B, W, S], zeros where there are none
    user: Tensor  # [B, Q, S]
    style: Tensor  # [B, T, Z]
    audio: Tensor  # [B, T, 192]
    motion_codes: Tensor  # [B, 6, T]
    mask: Tensor  # [B, T]
    functions: Tensor  # [B, W, N] 0 or 1
    affects: Tensor  # [B, W, 5]
    labelled: Tensor  # [B, W, 2] 1 where a word's functions, and where its affect, are what the words mean
    duration_phones: Tensor  # [M, 11]
    duration_past: Tensor  # [M, 4]
    duration_style: Tensor  # [M, Z]
    duration_words: Tensor  # [M, 2] row and word
    durations: Tensor  # [M]


@dataclass(frozen=True)
class Prepared:
    """One utterance, ready to be stacked; it has lost its motion and pitch, which take most memory."""

    utterance: Utterance
    states: WordStates
    motion_codes: np.ndarray  # [6, T] uint8

    @property
    def frames(self) -> int:
        return len(self.utterance.latents)


@dataclass(frozen=True)
class Dropout:
    """The losses of a row, as shares of the rows. states: all of its states: the talker must also read text that no backbone wrote.
    affect: the affect, where it is what the words mean; one that was asked for stays."""

    states: float = 0.0
    affect: float = 0.0


@torch.no_grad()
def encode_motion(codec: MotionCodec, utterances: Sequence[Utterance], group: int = 32) -> list[np.ndarray]:
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


def _light(utterance: Utterance) -> Utterance:
    return replace(utterance, motion=utterance.motion[:0].copy(), f0_hz=utterance.f0_hz[:0].copy())


class TalkerData:
    """All utterances of one split."""

    def __init__(self, prepared: list[Prepared], frames: int, config: TalkerConfig) -> None:
        if not prepared:
            raise ValueError("no utterance to train on")
        self.prepared, self.frames, self.config = prepared, frames, config

    @classmethod
    def load(cls, folder: Path, codec: MotionCodec, frames: int, config: TalkerConfig) -> dict[str, "TalkerData"]:
        """Both splits, from one reading. Raises ValueError for states of another width than the talker reads."""
        states, prepared = load_hidden(folder), {"train": list[Prepared](), "held_out": list[Prepared]()}
        empty = np.zeros((0, config.state_size), np.float16)
        none, group = WordStates(empty, empty), list[Utterance]()
        widths = {found.words.shape[1] for found in states.values()}
        if not widths <= {config.state_size}:
            raise ValueError(f"the data's states are {widths} wide, the talker reads {config.state_size}: build them at its depths")

        def settle() -> None:
            for utterance, codes in zip(group, encode_motion(codec, group), strict=True):
                prepared[utterance.split].append(Prepared(_light(utterance), states.get(utterance.sample, none), codes))
            group.clear()

        for utterance in read_shards(folder):
            group.append(utterance)
            if len(group) == 512:
                settle()
        settle()
        return {split: cls(found, frames, config) for split, found in prepared.items()}

    def state_spread(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [S] of the states of words; 0 and 1 where there are none."""
        stride = max(1, len(self.prepared) // FITTED_ON)
        found = np.concatenate([item.states.words for item in self.prepared[::stride]]).astype(np.float32)
        if not len(found):
            return torch.zeros(self.config.state_size), torch.ones(self.config.state_size)
        return torch.from_numpy(found.mean(0)), torch.from_numpy(found.std(0)).clamp(min=1e-3)

    def batches(
        self, rows: int, seed: int, dropout: Callable[[int], Dropout], first: int = 0, part: tuple[int, int] = (0, 1)
    ) -> Iterator[TalkerBatch]:
        """Random batches of similar length, for ever, from number `first` on. dropout: by the batch's number. part: (which, of how many)
        processes that share the training: each gets batches of its own."""
        rng, number, turn = np.random.default_rng(seed), 0, 0
        lengths = np.array([min(p.frames, self.frames) for p in self.prepared])
        while True:
            order = np.argsort(lengths + rng.uniform(-12, 12, len(lengths)))
            groups = [order[i : i + rows] for i in range(0, len(order) - rows + 1, rows)] or [order]
            rng.shuffle(groups)
            for group in groups:
                draws = rng.random((2, len(group)))
                mine, turn = turn % part[1] == part[0], turn + 1
                if mine and number >= first:
                    drop = dropout(number)
                    yield self.batch([int(i) for i in group], draws[0] >= drop.states, draws[1] >= drop.affect)
                number += mine

    def batch(self, picks: list[int], keep_states: np.ndarray, keep_affect: np.ndarray) -> TalkerBatch:
        """Stacks the utterances `picks` to one batch; keep_states, keep_affect [B], bool: rows that keep theirs."""
        kept = zip(picks, keep_states.tolist(), keep_affect.tolist(), strict=True)
        rows = [self._row(self.prepared[i], states, affect) for i, states, affect in kept]
        frames, words = max(len(r["audio"]) for r in rows), max(len(r["states"]) for r in rows)
        for index, row in enumerate(rows):
            row["words"] = np.where(row["words"] < len(row["states"]), row["words"], words)
            inside = row["duration_words"] < len(row["states"])
            row["duration_words"] = np.stack((np.full(len(inside), index), np.where(inside, row["duration_words"], words)), 1)
        stacked = {name: _stack(rows, name, frames) for name in ("phones", "counts", "style", "audio", "mask")}
        stacked |= {name: _stack(rows, name, words) for name in ("states", "functions", "affects", "labelled")}
        stacked["words"] = torch.from_numpy(np.stack([_pad(r["words"], frames, words) for r in rows]))
        stacked["user"] = _stack(rows, "user", USER_WORDS)
        stacked["motion_codes"] = torch.from_numpy(np.stack([_pad(r["motion_codes"].T, frames).T for r in rows]))
        flat = ("duration_phones", "duration_past", "duration_style", "duration_words", "durations")
        return TalkerBatch(**stacked, **{name: torch.from_numpy(np.concatenate([r[name] for r in rows])) for name in flat})

    def _row(self, item: Prepared, keep_states: bool, keep_affect: bool) -> dict[str, np.ndarray]:
        u = item.utterance
        frames = min(item.frames, self.frames)
        durations = u.durations.astype(np.int64)
        phones, words = u.phones.astype(np.int64), u.words.astype(np.int64)
        inputs = frame_inputs(phones, words, durations, 0, frames)
        affect = Affect(u.category, u.intensity) if u.forced or keep_affect else None
        style = style_vector(Style(affect, u.expressiveness, u.voice), self.config)
        count = len(u.functions)
        states = np.zeros((count, self.config.state_size), np.float32)
        user = np.zeros((0, self.config.state_size), np.float32)
        if keep_states:
            known = item.states.words[:count]
            states[: len(known)], user = known, item.states.user[-USER_WORDS:].astype(np.float32)
        user = np.pad(user, ((USER_WORDS - len(user), 0), (0, 0)))  # the newest stands last
        labelled = np.array([u.annotated, not u.forced], np.float32)
        return {
            "phones": inputs.phones,
            "counts": inputs.counts,
            "words": inputs.words,
            "states": states,
            "user": user,
            "style": np.tile(style, (frames, 1)),
            "audio": u.latents[:frames].astype(np.float32),
            "motion_codes": item.motion_codes[:, :frames].astype(np.int64),
            "mask": np.ones(frames, np.float32),
            "functions": u.functions.astype(np.float32),
            "affects": u.affects.astype(np.float32),
            "labelled": labelled * states.any(1, keepdims=True),
            "duration_phones": _contexts(phones),
            "duration_past": _pasts(durations),
            "duration_style": np.tile(style, (len(phones), 1)),
            "duration_words": words,
            "durations": durations,
        }


def _contexts(phones: np.ndarray) -> np.ndarray:
    padded = np.pad(phones, (DURATION_BEFORE, DURATION_AFTER))
    return np.lib.stride_tricks.sliding_window_view(padded, DURATION_BEFORE + 1 + DURATION_AFTER).copy()


def _pasts(durations: np.ndarray) -> np.ndarray:
    padded = np.pad(durations[:-1], (DURATION_HISTORY, 0))
    return np.lib.stride_tricks.sliding_window_view(padded, DURATION_HISTORY).copy()


def _stack(rows: Sequence[dict[str, np.ndarray]], name: str, length: int) -> Tensor:
    return torch.from_numpy(np.stack([_pad(row[name], length) for row in rows]))


def _pad(x: np.ndarray, length: int, value: int = 0) -> np.ndarray:
    return np.pad(x, ((0, length - len(x)), *((0, 0),) * (x.ndim - 1)), constant_values=value)
