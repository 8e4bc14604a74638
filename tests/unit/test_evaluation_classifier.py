"""The affect judge on disk: trained on the train split alone, saved, loaded, refused when it is something else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from a2llm.affect import AFFECTS, Affect
from a2llm.checkpoint import CheckpointError
from a2llm.data.motion_teacher import idle_motion
from a2llm.data.shards import Utterance, write_shard
from a2llm.evaluation.affect_classifier import FILE, load_affect_classifier
from a2llm.rig import ARKIT61
from a2llm.training.affect_classifier import ClassifierTraining, fit_affect_classifier, train_affect_classifier

pytestmark = pytest.mark.unit


def utterance(index: int, split: str) -> Utterance:
    affect = Affect(AFFECTS[index % 5], 0.8 if index % 5 else 0.0)
    motion = idle_motion(80, affect, seed=index).astype(np.float16)
    empty = np.zeros(0, np.uint8)
    labels = np.zeros((1, 30), np.uint8), np.zeros((1, 5), np.float16), np.zeros(1, np.uint8)
    latents, pitch = np.zeros((40, 4), np.float16), np.zeros(160, np.float16)
    return Utterance(index, "hello", affect.category, affect.intensity, split, empty, empty, empty, latents, motion, pitch, *labels)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_shard(folder / "speech-0000.npz", [utterance(i, "train" if i < 60 else "held_out") for i in range(80)])
    return folder


def test_the_judge_is_trained_and_sees_no_mouth(data: Path, tmp_path: Path):
    shipped = ClassifierTraining()
    config = replace(shipped, loop=shipped.loop.with_steps(40))
    figures = train_affect_classifier(data, tmp_path, config)
    assert figures["held_out_accuracy_pct"] >= 80
    assert figures["train_clips"] == 60 and figures["held_out_clips"] == 20
    judge = load_affect_classifier(tmp_path / FILE)
    motion = torch.rand(1, 80, 61)
    other = motion.clone()
    other[..., ARKIT61.group("mouth")] = 0.5
    assert torch.equal(judge(motion), judge(other))


def test_every_affect_needs_an_example(tmp_path: Path):
    with pytest.raises(ValueError, match="every affect"):
        fit_affect_classifier([np.zeros((80, 61))] * 4, range(4), tmp_path, ClassifierTraining())


def test_a_missing_judge_is_said(tmp_path: Path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_affect_classifier(tmp_path / "none.safetensors")
