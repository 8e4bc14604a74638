"""Batches for the talker: what a row carries, what it loses, who gets which, and that states stay on disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.models import tiny

from a2llm.affect import Affect
from a2llm.data.hidden import WordStates
from a2llm.data.shards import Utterance, save_array, save_arrays, write_shard
from a2llm.talker.config import USER_WORDS
from a2llm.training.talker import TalkerLoss, TalkerTraining, frames_of, move_to
from a2llm.training.talker_data import Dropout, Prepared, TalkerData

CONFIG, WORDS = tiny.MEANING, 4


def utterance(sample: int, words: int = WORDS, forced: bool = False, split: str = "train", label: int = 0) -> Utterance:
    """Words of two phones, each of three units; all of its words do and feel like `label`."""
    rng = np.random.default_rng(sample)
    phones = 2 * words
    durations = np.full(phones, 3, np.uint8)
    frames = phones * 3 // 2
    functions = np.zeros((words, len(CONFIG.functions)), np.uint8)
    functions[:, label % len(CONFIG.functions)] = 1
    affect = Affect("joy", 0.6) if label else Affect()
    return Utterance(
        sample,
        "a " * words,
        affect.category,
        affect.intensity,
        split,
        rng.integers(1, 90, phones).astype(np.uint8),
        (np.arange(phones) // 2).astype(np.uint16),
        durations,
        rng.normal(size=(frames, tiny.CODEC.latent)).astype(np.float16),
        rng.normal(size=(2 * frames, 61)).astype(np.float16),
        np.zeros(4 * frames, np.float16),
        functions,
        np.tile(affect.vector(), (words, 1)).astype(np.float16),
        np.zeros(words, np.uint8),
        voice=sample % 2,
        expressiveness=0.5,
        forced=forced,
        annotated=not forced,
    )


def states(words: int = WORDS, user: int = 3, value: float = 1.0) -> WordStates:
    size = CONFIG.state_size
    return WordStates(np.full((words, size), value, np.float16), np.full((user, size), 2 * value, np.float16))


def prepared(item: Utterance, known: WordStates | None = None) -> Prepared:
    codes = np.random.default_rng(item.sample).integers(0, tiny.MOTION.size, (6, len(item.latents))).astype(np.uint8)
    return Prepared(item, known or states(len(item.functions)), codes)


def data(*items: Prepared) -> TalkerData:
    return TalkerData(list(items), 192, CONFIG)


ALL = np.ones(2, bool)


def test_a_row_carries_the_meaning_of_each_frame_and_phone():
    short = prepared(utterance(1, 2), states(2, value=3.0))
    batch = data(prepared(utterance(0)), short).batch([0, 1], ALL, ALL)
    assert batch.states.shape == (2, WORDS, CONFIG.state_size) and batch.user.shape == (2, USER_WORDS, CONFIG.state_size)
    assert not batch.states[1, 2:].any() and not batch.user[0, :-3].any() and batch.user[0, -3:].all()
    assert batch.words[0].tolist() == [w for w in range(WORDS) for _ in range(3)]
    meaning = torch.nn.functional.pad(batch.states, (0, 0, 0, 1))
    frames = frames_of(batch, meaning)
    assert (frames.meaning[0] == 1.0).all() and (frames.meaning[1, :6] == 3.0).all()
    assert batch.duration_words.tolist() == [[0, w] for w in range(WORDS) for _ in range(2)] + [[1, w] for w in range(2) for _ in range(2)]


def test_a_row_without_states_means_nothing_and_says_nothing():
    batch = data(prepared(utterance(0)), prepared(utterance(1))).batch([0, 1], np.array([True, False]), ALL)
    assert not batch.states[1].any() and not batch.user[1].any()
    assert batch.labelled[0].all() and not batch.labelled[1].any()


def test_words_beyond_the_known_states_have_none():
    batch = data(prepared(utterance(0), states(2))).batch([0], ALL[:1], ALL[:1])
    assert batch.states[0, 1].any() and not batch.states[0, 2:].any() and batch.labelled[0, :, 0].tolist() == [1, 1, 0, 0]


def test_an_affect_is_dropped_unless_it_was_asked_for():
    rows = data(prepared(utterance(0, label=1)), prepared(utterance(1, label=1, forced=True)))
    kept, dropped = rows.batch([0, 1], ALL, ALL).style, rows.batch([0, 1], ALL, ~ALL).style
    assert torch.equal(kept[0, 0, :5], torch.tensor([0.4, 0.6, 0, 0, 0]))
    assert not dropped[0, 0, :5].any() and torch.equal(dropped[1], kept[1])
    assert dropped[0, 0, 5:].tolist() == [-0.5, 1, 0] and dropped[1, 0, 5:].tolist() == [-0.5, 0, 1], "strength and voice stay"
    assert rows.batch([0, 1], ALL, ALL).labelled[1].tolist() == [[0, 0]] * WORDS, "its words do not mean what was asked for"


def test_rows_are_dropped_as_often_as_the_schedule_says():
    stream = data(*(prepared(utterance(i, label=1)) for i in range(8))).batches(4, 0, lambda n: Dropout(0.0 if n < 50 else 1.0, 0.5))
    batches = [next(stream) for _ in range(100)]
    assert all(batch.states.any() for batch in batches[:50]) and not any(batch.states.any() for batch in batches[50:])
    assert 0.4 < np.mean([batch.style[:, 0, :5].any(1).float().mean() for batch in batches]) < 0.6


def test_processes_share_the_batches_and_go_on_where_they_stopped():
    rows = data(*(prepared(utterance(i)) for i in range(8)))

    def firsts(count: int, **options) -> list[torch.Tensor]:
        stream = rows.batches(2, 3, lambda _: Dropout(0.3, 0.3), **options)
        return [next(stream).audio for _ in range(count)]

    whole = firsts(8)
    parts = [firsts(4, part=(which, 2)) for which in (0, 1)]
    assert all(torch.equal(a, b) for a, b in zip(whole, [x for two in zip(*parts, strict=True) for x in two], strict=True))
    assert all(torch.equal(a, b) for a, b in zip(parts[1][2:], firsts(2, part=(1, 2), first=2), strict=True))


def test_both_splits_are_read_at_once_and_states_stay_on_disk(tmp_path: Path):
    write_shard(tmp_path / "speech-0000.npz", [utterance(0), utterance(1, split="held_out")])
    save_array(tmp_path / "hidden-0000.npy", np.ones((10, CONFIG.state_size), np.float16))
    save_arrays(tmp_path / "hidden-0000.npz", {"samples": np.arange(2), "counts": np.array([[1, 4], [1, 4]])})
    splits = TalkerData.load(tmp_path, tiny.motion_codec(), 192, CONFIG)
    item = splits["train"].prepared[0]
    assert {name: len(split.prepared) for name, split in splits.items()} == {"train": 1, "held_out": 1}
    assert isinstance(item.states.words, np.memmap) and len(item.utterance.motion) == 0 and item.motion_codes.shape == (6, 12)
    mean, scale = splits["train"].state_spread()
    assert (mean == 1).all() and scale.shape == (CONFIG.state_size,)
    with pytest.raises(ValueError, match="wide, the talker reads"):
        TalkerData.load(tmp_path, tiny.motion_codec(), 192, replace(CONFIG, depths=(1.0,)))
    with pytest.raises(ValueError, match="no utterance to train on"):
        TalkerData([], 192, CONFIG)


def loss_of(config: TalkerTraining | None = None) -> TalkerLoss:
    from copy import deepcopy

    torch.manual_seed(0)
    talker = deepcopy(tiny.talker(CONFIG)).requires_grad_(True).train()
    return TalkerLoss(talker, config or TalkerTraining(CONFIG), torch.Generator().manual_seed(0))


def test_every_loss_is_there_and_reaches_the_connector():
    loss = loss_of()
    batch = data(prepared(utterance(0)), prepared(utterance(1, 3))).batch([0, 1], ALL, ALL)
    losses = loss(move_to(batch, "cpu"), 1.0)
    assert {"audio", "residual", "motion", "duration", "functions", "affects", "total"} <= set(losses)
    losses["total"].backward()
    connector = loss.talker.connector
    assert connector is not None and all(p.grad is not None and p.grad.isfinite().all() for p in connector.parameters())


def test_rows_that_were_asked_for_an_affect_teach_nothing_about_meaning():
    batch = data(prepared(utterance(0, forced=True))).batch([0], ALL[:1], ALL[:1])
    losses = loss_of()(batch, 0.0)
    assert not losses["functions"].any() and not losses["affects"].any()


def test_a_step_follows_from_its_number():
    batch = data(prepared(utterance(0)), prepared(utterance(1))).batch([0, 1], ALL, ALL)

    def total(number: int) -> float:
        loss = loss_of()
        loss.seed(number)
        return float(loss(batch, 1.0)["total"].detach())

    assert total(5) == total(5) != total(6)


def test_meaning_is_learned_where_words_decide_it():
    """Planted: the label is in the states. In a few steps the connector says it; from states that say nothing it cannot."""

    def learned(known: bool) -> float:
        direction = np.random.default_rng(0).standard_normal(CONFIG.state_size)
        signs = [(1.0 if i % 2 else -1.0) if known else 1.0 for i in range(8)]
        given = [WordStates(np.tile(sign * direction, (WORDS, 1)).astype(np.float16), states().user) for sign in signs]
        items = [prepared(utterance(i, label=i % 2), given[i]) for i in range(8)]
        rows, loss = data(*items), loss_of()
        optimizer = torch.optim.Adam(loss.parameters(), 5e-3)
        for step in range(60):
            loss.seed(step)
            losses = loss(rows.batch(list(range(8)), np.ones(8, bool), np.zeros(8, bool)), 0.0)
            optimizer.zero_grad()
            (losses["functions"] + losses["affects"]).backward()
            optimizer.step()
        return float(losses["functions"].detach())

    assert learned(True) < 0.2 < 1.0 < learned(False)


def test_a_face_of_sound_learns_the_motion_alone():
    config = replace(CONFIG, only_sound=True, connector_width=0)
    from a2llm.talker.model import Talker

    talker = Talker(config)
    loss = TalkerLoss(talker, TalkerTraining(config, only_motion=True), torch.Generator().manual_seed(0))
    batch = TalkerData([prepared(utterance(0))], 192, config).batch([0], ALL[:1], ALL[:1])
    losses = loss(batch, 1.0)
    assert set(losses) == {"motion", "total"}
    losses["total"].backward()
    assert talker.motion_head.from_context.weight.grad is not None and talker.phone.weight.grad is None


def test_dropout_is_low_while_the_connector_finds_its_way():
    config = TalkerTraining(CONFIG)
    first, last = config.dropout(0), config.dropout(config.loop.steps)
    assert first.states < last.states and first.affect == last.affect == 0.8
