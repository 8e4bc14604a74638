"""One function per recipe: job in, weights in job.out, held-out figures back."""

import itertools
import json
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from a2llm import weights
from a2llm.components import FILES, load_audio_codec, model_folder, save_motion_codec
from a2llm.data.shards import read_shards
from a2llm.data.stages import DataPlan, make_codec, shards_of
from a2llm.data.voices import BRITISH
from a2llm.evaluation.face_metrics import lve_mm, velocity_ratio
from a2llm.head.geometry import HeadGeometry
from a2llm.motion_codec.codec import MotionCodec
from a2llm.recipes import configs
from a2llm.recipes.job import Job
from a2llm.training.affect_classifier import ClassifierTraining, train_affect_classifier
from a2llm.training.backbone import BackboneTraining, train_backbone
from a2llm.training.distributed import world
from a2llm.training.loop import CURVE, add_to_curve
from a2llm.training.motion_codec import MotionCodecTraining, train_motion_codec
from a2llm.training.motion_judge import JudgeTraining, train_motion_judge
from a2llm.training.talker import TalkerTraining, train_talker
from a2llm.training.user_affect import DEFAULT_WEIGHTS as USER_AFFECT
from a2llm.training.user_affect import run as train_user_affect

JUDGED_CLIPS = 40


def backbone(job: Job, config: BackboneTraining | None = None, folder: Path | None = None) -> dict[str, float]:
    chosen = config or configs.backbone()
    return train_backbone(
        folder or weights.convert("backbone"), job.out, replace(chosen, loop=job.timed(chosen.loop)), job.device, job.on_progress
    )


def audio_codec(job: Job, plan: DataPlan | None = None) -> dict[str, float]:
    """Fits again whatever is there; figures: what each number of levels leaves unexplained of held-out latents."""
    file, aside = job.out / FILES["audio_codec"], job.out / "audio_codec.fitting"
    aside.unlink(missing_ok=True)
    (job.out / f"audio_codec{CURVE}").unlink(missing_ok=True)
    started = time.perf_counter()
    make_codec(job.data, plan or _plan_of(job.data), aside).replace(file)
    codec = load_audio_codec(file)
    figures = {"fit_s": round(time.perf_counter() - started, 1)}
    latents = _held_out_latents(job.data, codec.config.latent)
    if latents is not None:
        codes = codec.quantize(latents)
        for level in range(1, codec.config.levels + 1):
            left = (latents - codec.dequantize(codes[:, :level])).square().mean() / latents.square().mean()
            figures[f"unexplained_pct_{level}_levels"] = round(100 * float(left), 2)
            add_to_curve(job.out, "audio_codec", level, {"unexplained_pct": 100 * float(left)})
    return figures


def _plan_of(folder: Path) -> DataPlan:
    """The plan a data set was built with, as far as the text goes; the codec's own fields are this recipe's."""
    file = folder / "plan.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    known |= {"voices": tuple(known["voices"])} if "voices" in known else {}
    return replace(configs.audio_codec(), **{name: known[name] for name in ("variants", "seed", "voices", "varied") if name in known})


def _held_out_latents(data: Path, width: int) -> torch.Tensor | None:
    """Latents [1, T, D] of held-out speech that exists already; None where there is none of this width."""
    if not list(shards_of(data).glob("speech-*.npz")):
        return None
    held_out = (u.latents for u in read_shards(shards_of(data)) if u.split == "held_out")
    found = list(itertools.islice(held_out, JUDGED_CLIPS))
    if not found or found[0].shape[1] != width:
        return None
    return torch.from_numpy(np.concatenate(found).astype(np.float32))[None]


def motion_codec(job: Job, config: MotionCodecTraining | None = None) -> dict[str, float]:
    chosen = config or configs.motion_codec()
    utterances = list(read_shards(shards_of(job.data)))
    train, held_out = ([u.motion.astype(np.float32) for u in utterances if u.split == split] for split in ("train", "held_out"))
    codec, facts = train_motion_codec(train, job.out, replace(chosen, loop=job.timed(chosen.loop)), job.device, job.on_progress)
    figures = _judge_motion(codec, held_out[:JUDGED_CLIPS])
    save_motion_codec(codec, job.out / FILES["motion_codec"], {"recipe": asdict(chosen), "training": facts, "figures": figures})
    return figures


@torch.no_grad()
def _judge_motion(codec: MotionCodec, motions: list[np.ndarray]) -> dict[str, float]:
    """Reconstruction of held-out motion through all levels."""
    if not motions:
        return {}
    head = HeadGeometry.load()
    made = [codec.decode(codec.encode(torch.from_numpy(m)[None]))[0, : len(m)].numpy() for m in motions]
    return {
        "held_out_lve_mm": round(float(np.mean([lve_mm(x, y, head) for x, y in zip(motions, made, strict=True)])), 3),
        "held_out_velocity_ratio": round(float(np.mean([velocity_ratio(x, y) for x, y in zip(motions, made, strict=True)])), 3),
    }


def talker(job: Job, config: TalkerTraining | None = None, hidden: bool = True) -> dict[str, float]:
    """One process, or those that torchrun started. Raises ValueError when the data set lacks hidden states, which the Motion Connector
    lives on."""
    chosen = config or _in_voices_of(job.data, configs.talker())
    shards = shards_of(job.data)
    if hidden and not list(shards.glob("hidden-*.npz")):
        raise ValueError(f"{shards} holds no hidden states: run `a2 data build` first")
    with world() as together:
        if together.leads:
            _gather_codecs(job)
        together.wait()
        timed = replace(chosen, loop=job.timed(chosen.loop))
        return train_talker(shards, job.out, job.out, timed, job.device, job.on_progress, together)


def face_of_sound(job: Job, config: TalkerTraining | None = None) -> dict[str, float]:
    """A talker of the same size that sees only the sound, for comparison; in a folder of its own, since it cannot speak."""
    own = replace(job, out=job.out / "face_of_sound")
    own.out.mkdir(parents=True, exist_ok=True)
    if not (own.out / FILES["motion_codec"]).exists() and (job.out / FILES["motion_codec"]).exists():
        shutil.copyfile(job.out / FILES["motion_codec"], own.out / FILES["motion_codec"])
    return talker(own, config or _in_voices_of(job.data, configs.face_of_sound()), hidden=False)


def _in_voices_of(data: Path, config: TalkerTraining) -> TalkerTraining:
    """The training of a talker with the voices that a data set was spoken in, in their order there."""
    voices = _plan_of(data).voices
    british = tuple(name for name in voices if name in BRITISH)
    return replace(config, model=replace(config.model, voices=voices, british=british))


def _gather_codecs(job: Job) -> None:
    """Both codecs into job.out: the audio codec must be the one that made the data's latents."""
    for name, folders in (("audio_codec", (job.data, job.out)), ("motion_codec", (job.out, job.data))):
        places = [folder / FILES[name] for folder in (*folders, model_folder())]
        source = next((file for file in places if file.is_file()), places[-1])
        if source != job.out / FILES[name]:
            if not source.is_file():
                raise ValueError(f"there is no {name} in {job.out}: run `a2 train {name} --out {job.out}` first")
            shutil.copyfile(source, job.out / FILES[name])


def user_affect(job: Job) -> dict[str, float]:
    report = train_user_affect(job.data, job.out / USER_AFFECT.name, configs.user_affect())
    return {name: value for name, value in report.items() if isinstance(value, int | float)}


def motion_judge(job: Job, config: JudgeTraining | None = None) -> dict[str, float]:
    chosen = config or configs.motion_judge()
    return train_motion_judge(shards_of(job.data), job.out, replace(chosen, loop=job.timed(chosen.loop)), job.on_progress)


def affect_classifier(job: Job, config: ClassifierTraining | None = None) -> dict[str, float]:
    chosen = config or configs.affect_classifier()
    return train_affect_classifier(shards_of(job.data), job.out, replace(chosen, loop=job.timed(chosen.loop)), job.on_progress)
