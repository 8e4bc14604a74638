"""Every recipe in small, on data it makes itself: proves in under a minute that training works on this machine.

What comes out has the right files and speaks noise.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from a2llm import weights
from a2llm.audio_codec.codec import AudioCodecConfig
from a2llm.data.annotation import FUNCTIONS
from a2llm.data.build import read_samples
from a2llm.data.hidden import StateReader, build_hidden
from a2llm.data.stages import SHARDS, TEXT, DataPlan, make_codec, make_speech, make_text, settle_plan
from a2llm.evaluation.motion_judge import JudgeConfig
from a2llm.language.config import LlamaConfig
from a2llm.language.llama import Llama
from a2llm.language.tokenizer import TextTokenizer
from a2llm.language.torch_backbone import TorchBackbone
from a2llm.listening.features import FEATURES
from a2llm.motion_codec.codec import MotionCodecConfig
from a2llm.recipes import runs
from a2llm.recipes.job import Job
from a2llm.talker.config import TalkerConfig
from a2llm.training.affect_classifier import ClassifierTraining
from a2llm.training.backbone import BackboneTraining
from a2llm.training.loop import LoopConfig
from a2llm.training.motion_codec import MotionCodecTraining
from a2llm.training.motion_judge import JudgeTraining
from a2llm.training.talker import TalkerTraining
from a2llm.training.user_affect import DEFAULT_WEIGHTS as USER_AFFECT
from a2llm.training.user_affect import Examples, HeadConfig, save_head, train_head

PLAN = DataPlan(hours=0.1, plain=12, drills=0, variants=2, limit=24, codec_utterances=10, codec_iters=2, codec=AudioCodecConfig(size=32))
MOTION = MotionCodecTraining(
    MotionCodecConfig(width=32, latent=16, size=16),
    batch=8,
    window_frames=32,
    loop=LoopConfig(steps=10, peak_lr=2e-3, warmup_steps=2, log_every=2),
)
TALKER = TalkerTraining(
    TalkerConfig(
        width=32,
        layers=1,
        heads=2,
        window=64,
        phone_width=8,
        count_width=4,
        motion_width=16,
        duration_width=16,
        hidden_size=32,
        depths=(0.5, 1.0),
        connector_width=16,
        functions=tuple(FUNCTIONS),
        expressive=True,
    ),
    rows=4,
    frames=64,
    loop=LoopConfig(steps=6, warmup_steps=2, log_every=1),
)
BACKBONE = BackboneTraining(
    rank=2, first_layer=1, epochs=1, batch=4, max_tokens=56, limit=400, loop=LoopConfig(warmup_steps=2, log_every=2, time_limit_s=2.0)
)
LLAMA = LlamaConfig(hidden_size=32, intermediate_size=48, num_layers=2, num_heads=2, num_kv_heads=1, head_dim=16)
JUDGE = JudgeTraining(
    JudgeConfig(tuple(FUNCTIONS), width=16), batch=4, fewest=1, loop=LoopConfig(steps=8, peak_lr=2e-3, warmup_steps=2, log_every=2)
)
CLASSIFIER = ClassifierTraining(loop=LoopConfig(steps=20, peak_lr=2e-3, warmup_steps=2, log_every=5))
HEAD = HeadConfig(epochs=2, batch=32)


def data(folder: Path) -> Path:
    """A data set of a few dozen lines, with the states of a backbone that means nothing."""
    settle_plan(folder, PLAN)
    make_text(folder, PLAN)
    make_codec(folder, PLAN)
    make_speech(folder, PLAN, workers=1)
    backbone = _tiny_llama(folder / "tiny_backbone")
    reader = StateReader(TorchBackbone(Llama.from_folder(backbone), TALKER.model.depths), TextTokenizer(backbone))
    build_hidden(read_samples(folder / TEXT), reader, folder / SHARDS)
    return folder


def backbone(job: Job) -> dict[str, float]:
    return runs.backbone(job, BACKBONE, _tiny_llama(job.out / "tiny_backbone"))


def _tiny_llama(folder: Path) -> Path:
    """A random backbone with the real vocabulary."""
    from a2llm.language.llama_folder import random_llama, save_llama

    save_llama(random_llama(LLAMA), folder)
    shutil.copyfile(weights.convert("backbone") / "tokenizer.json", folder / "tokenizer.json")
    return folder


def audio_codec(job: Job) -> dict[str, float]:
    data(job.data)
    return runs.audio_codec(job, PLAN)


def motion_codec(job: Job) -> dict[str, float]:
    data(job.data)
    return runs.motion_codec(job, MOTION)


def talker(job: Job) -> dict[str, float]:
    data(job.data)
    if not (job.out / "motion_codec.safetensors").exists():
        runs.motion_codec(job, MOTION)
    return runs.talker(job, TALKER)


def face_of_sound(job: Job) -> dict[str, float]:
    data(job.data)
    if not (job.out / "motion_codec.safetensors").exists():
        runs.motion_codec(job, MOTION)
    model = replace(TALKER.model, only_sound=True, connector_width=0)
    return runs.face_of_sound(job, replace(TALKER, model=model, only_motion=True))


def user_affect(job: Job) -> dict[str, float]:
    """On made-up features: the affect is the sign of the first ones."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, len(FEATURES))).astype(np.float32)
    labels = features[:, :5].argmax(1)
    arrays = train_head(Examples(features, np.zeros_like(features), labels, np.full(200, 0.5)), HEAD)
    save_head(arrays, job.out / USER_AFFECT.name, {"debug": True})
    return {"clips": 200.0}


def motion_judge(job: Job) -> dict[str, float]:
    data(job.data)
    return runs.motion_judge(job, JUDGE)


def affect_classifier(job: Job) -> dict[str, float]:
    data(job.data)
    return runs.affect_classifier(job, CLASSIFIER)


def everything(job: Job) -> dict[str, float]:
    """All of them, one after the other."""
    figures: dict[str, float] = {}
    for recipe in (audio_codec, motion_codec, talker, face_of_sound, motion_judge, affect_classifier, user_affect, backbone):
        figures |= {f"{recipe.__name__}_{name}": value for name, value in recipe(replace(job)).items()}
    return figures
