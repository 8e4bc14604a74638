"""`a2 evaluate`: which answers are generated, who judges them, and the flat report that comes out.

voice, sync and face share the natural answers; face asks for each affect in turn as well. Every number but the times
follows from the weights, the number of clips and the seed.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from a2llm.api import A2LLM
from a2llm.components import model_folder
from a2llm.evaluation.affect_classifier import FILE, load_affect_classifier
from a2llm.evaluation.clips import Clip, forced_clips, natural_clips
from a2llm.evaluation.face import face_report
from a2llm.evaluation.machine import machine_facts
from a2llm.evaluation.progress import OnProgress, Steps
from a2llm.evaluation.sentences import held_out_questions, questions
from a2llm.evaluation.sync import pair_up, sync_report
from a2llm.evaluation.voice import HeardClip, listen, prosody_by_affect, voice_report

NAMES = ("voice", "sync", "face")
Report = dict[str, float | str]


def run_evaluation(
    name: str,
    clips: int = 50,
    on_progress: OnProgress | None = None,
    *,
    model: A2LLM | None = None,
    folder: Path | None = None,
    seed: int = 0,
    details: Path | None = None,
) -> Report:
    """Evaluate "voice", "face", "sync" or "all" on `clips` held-out questions; a flat report ready for JSON.

    model: the one to judge (default: the weights in `folder`, or those that ship). details: also write what was asked,
    said and heard to this file. on_progress gets (steps done, steps in all). Raises ValueError for another name or fewer
    than one clip, CheckpointError or WeightsError when weights are missing.
    """
    chosen = NAMES if name == "all" else (name,)
    if not set(chosen) <= set(NAMES):
        raise ValueError(f"unknown evaluation {name!r}: choose one of {', '.join((*NAMES, 'all'))}")
    started, asked = time.perf_counter(), questions(clips)
    model = model or A2LLM.load(folder)
    steps = Steps(_steps(chosen, clips), on_progress)
    natural = natural_clips(model, asked, seed, steps)
    report = _reports(chosen, model, natural, folder or model_folder(), seed, steps, details)
    facts = {"n": clips, "questions": len(held_out_questions()), "seed": seed}
    return report | facts | {"seconds": round(time.perf_counter() - started, 1)} | machine_facts()


def _steps(chosen: Sequence[str], clips: int) -> int:
    """Ticks of the bar: every answer, every hearing, every taught motion."""
    pairs = clips if {"sync", "face"} & set(chosen) else 0
    return clips + pairs + ("voice" in chosen) * clips + ("face" in chosen) * 10 * _forced(clips)


def _forced(clips: int) -> int:
    """How many questions are answered in all five affects."""
    return max(1, clips // 2)


def _reports(chosen: Sequence[str], model: A2LLM, clips: list[Clip], folder: Path, seed: int, steps: Steps, details: Path | None) -> Report:
    parts, report = model.engine.parts, Report()
    judge = load_affect_classifier(folder / FILE) if "face" in chosen else None
    if "voice" in chosen:
        heard = listen(clips, parts.audio_codec, parts.vocoder, steps)
        report |= voice_report(heard, parts.audio_codec, seed)
        _write_details(details, heard)
    if {"sync", "face"} & set(chosen):
        pairs = pair_up(clips, steps)
        if "sync" in chosen:
            report |= sync_report(pairs, seed)
        if judge is not None:
            forced = forced_clips(model, questions(_forced(len(clips))), seed, steps)
            report |= face_report(pairs, pair_up(forced, steps), judge, parts.motion_codec, seed)
            report |= prosody_by_affect(forced, "forced_")
    return report


def _write_details(file: Path | None, heard: Sequence[HeardClip]) -> None:
    """One JSON line per answer."""
    if file is None:
        return
    lines = []
    for h in heard:
        affect, (model, codec, teacher) = h.clip.affect, h.texts
        said = {"question": h.clip.question, "answer": h.clip.text, "affect": affect.category, "intensity": affect.intensity}
        lines.append(said | {"heard": model, "heard_codec": codec, "heard_teacher": teacher, "errors": h.errors, "words": len(h.said)})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
