"""Utterances on disk come back as they were."""

from pathlib import Path

import numpy as np
import pytest

from a2llm.data.shards import ARRAYS, FACTS, Utterance, read_shard, read_shards, save_array, write_shard


def utterance(sample: int, phones: int = 5) -> Utterance:
    rng = np.random.default_rng(sample)
    durations = rng.integers(0, 6, phones).astype(np.uint8)
    durations[-1] += durations.sum() % 2
    units = int(durations.sum())
    return Utterance(
        sample,
        f"Text {sample} ‘with’ marks.",
        "joy",
        0.25,
        "train",
        rng.integers(0, 99, phones).astype(np.uint8),
        np.arange(phones, dtype=np.uint16) // 2,
        durations,
        rng.normal(size=(units // 2, 7)).astype(np.float16),
        rng.normal(size=(units, 61)).astype(np.float16),
        rng.normal(size=2 * units).astype(np.float16),
        rng.integers(0, 2, (-(-phones // 2), 30)).astype(np.uint8),
        rng.random((-(-phones // 2), 5)).astype(np.float16),
        np.zeros(-(-phones // 2), np.uint8),
        voice=sample % 2,
        expressiveness=0.5,
        forced=sample % 2 == 0,
        annotated=True,
    )


def same(one: Utterance, two: Utterance) -> bool:
    facts = all(getattr(one, name) == getattr(two, name) for name in FACTS)
    return facts and all(
        np.array_equal(getattr(one, name), getattr(two, name)) and getattr(one, name).dtype == getattr(two, name).dtype for name in ARRAYS
    )


def test_there_and_back(tmp_path: Path):
    written = [utterance(3), utterance(4, phones=1), utterance(9, phones=30)]
    write_shard(tmp_path / "speech-0000.npz", written)
    read = list(read_shard(tmp_path / "speech-0000.npz"))
    assert all(same(a, b) for a, b in zip(written, read, strict=True))
    assert [f.name for f in tmp_path.iterdir()] == ["speech-0000.npz"]


def test_shards_come_in_order_and_unfinished_ones_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in (2, 0, 1):
        write_shard(tmp_path / f"speech-{number:04d}.npz", [utterance(10 * number), utterance(10 * number + 1)])
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_shard(tmp_path / "speech-0003.npz", [utterance(30)])
    assert [u.sample for u in read_shards(tmp_path)] == [0, 1, 10, 11, 20, 21]


def test_an_array_alone_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    save_array(tmp_path / "a.npy", np.arange(5))
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save_array(tmp_path / "a.npy", np.arange(9))
    assert np.load(tmp_path / "a.npy", mmap_mode="r").tolist() == [0, 1, 2, 3, 4]


def test_an_empty_folder_says_what_to_do(tmp_path: Path):
    with pytest.raises(ValueError, match="a2 data build"):
        list(read_shards(tmp_path))
