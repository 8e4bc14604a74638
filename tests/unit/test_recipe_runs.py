"""Recipes: what they need is named when it is missing, codecs are gathered from where they belong, and the small ones are small."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from a2llm.components import FILES
from a2llm.data.shards import Utterance, write_shard
from a2llm.data.stages import SHARDS
from a2llm.recipes import configs, debug, runs
from a2llm.recipes.job import Job
from a2llm.training.loop import LoopConfig


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("A2_MODEL", str(tmp_path / "model"))
    for name in ("data", "out", "model"):
        (tmp_path / name).mkdir()
    return Job(tmp_path / "data", tmp_path / "out")


def utterance(split: str, width: int = 4) -> Utterance:
    arrays = (np.zeros(2), np.zeros(2), np.ones(2), np.full((5, width), 0.5, np.float32), np.zeros((10, 61)), np.zeros(20))
    arrays += (np.zeros((1, 30), np.uint8), np.zeros((1, 5)), np.zeros(1, np.uint8))
    return Utterance(0, "text", "neutral", 0.0, split, *arrays)


def test_a_talker_lives_on_hidden_states(job: Job) -> None:
    (job.data / SHARDS).mkdir()
    with pytest.raises(ValueError, match="holds no hidden states: run `a2 data build` first"):
        runs.talker(job)


def test_a_missing_codec_names_the_command_that_makes_it(job: Job) -> None:
    with pytest.raises(ValueError, match=r"there is no audio_codec in .*: run `a2 train audio_codec --out"):
        runs._gather_codecs(job)


def test_the_audio_codec_is_the_data_s_and_the_motion_codec_the_newest(job: Job, tmp_path: Path) -> None:
    for folder in ("data", "out", "model"):
        for name in ("audio_codec", "motion_codec"):
            (tmp_path / folder / FILES[name]).write_text(f"{name} of {folder}")
    runs._gather_codecs(job)
    assert (job.out / FILES["audio_codec"]).read_text() == "audio_codec of data", "it made the latents"
    assert (job.out / FILES["motion_codec"]).read_text() == "motion_codec of out"
    (job.out / FILES["motion_codec"]).unlink()
    runs._gather_codecs(job)
    assert (job.out / FILES["motion_codec"]).read_text() == "motion_codec of data"


def test_a_codec_is_fitted_by_the_plan_of_its_data(job: Job) -> None:
    assert runs._plan_of(job.data) == configs.audio_codec()
    (job.data / "plan.json").write_text(json.dumps({"seed": 7, "variants": 2, "limit": 3}))
    assert runs._plan_of(job.data) == replace(configs.audio_codec(), seed=7, variants=2)


def test_held_out_latents_are_those_of_this_width(job: Job) -> None:
    assert runs._held_out_latents(job.data, 4) is None
    (job.data / SHARDS).mkdir()
    write_shard(job.data / SHARDS / "speech-0000.npz", [utterance("train"), utterance("held_out"), utterance("held_out")])
    found = runs._held_out_latents(job.data, 4)
    assert found is not None and found.shape == (1, 10, 4)
    assert runs._held_out_latents(job.data, 8) is None


def test_a_job_s_minutes_bound_a_loop() -> None:
    loop = LoopConfig(steps=100)
    assert Job(Path(), Path()).timed(loop) == loop
    assert Job(Path(), Path(), minutes=2.0).timed(loop).time_limit_s == 120.0


def test_debug_recipes_are_a_hundredth_of_the_whole_ones() -> None:
    assert debug.TALKER.loop.steps * 100 < configs.talker().loop.steps
    assert debug.MOTION.loop.steps * 100 < configs.motion_codec().loop.steps
    assert debug.PLAN.limit is not None and debug.BACKBONE.rank < configs.backbone().rank
