"""`a2 evaluate proof`: does the face follow the meaning?

The same held-out responses are performed with their own states (fused), with none (zeroed), with those of other responses (shuffled),
and with the face of a talker that sees only the sound of the fused ones. A judge that was trained on the teacher's motion and is
frozen reads from the motion alone what each phrase does, how the affect moves, and which context of a minimal pair it belongs to. What
it reads from the teacher's own motion stands beside it: no figure can be expected above that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from a2llm import weights
from a2llm.components import FILES, load_codecs, load_talker
from a2llm.evaluation.affect_classifier import FILE as MASKED
from a2llm.evaluation.affect_classifier import load_affect_classifier
from a2llm.evaluation.motion_judge import FILE, MotionJudge, load_motion_judge
from a2llm.evaluation.progress import OnProgress, Steps
from a2llm.evaluation.proof_cases import Case, Example, read_cases
from a2llm.evaluation.proof_motion import Performance, Stage, follow_sound, shuffled, zeroed
from a2llm.evaluation.proof_scores import FIGURES, scores, with_crossed_interval
from a2llm.talker.model import Talker
from a2llm.talker.phones import PhoneTable, load_g2p
from a2llm.talker.runtime import fast_talker

SOUND_FOLDER = "face_of_sound"
FUSED, ZEROED, SHUFFLED, AUDIO_ONLY, TEACHER = "fused", "zeroed", "shuffled", "audio_only", "teacher"
Sums = dict[str, np.ndarray]


@dataclass(frozen=True)
class Model:
    """One trained model, and the talker of the same size that sees only the sound, where it was trained."""

    stage: Stage
    of_sound: Talker | None


def load_model(folder: Path) -> Model:
    """The parts of a folder that perform. Raises CheckpointError for one that is missing."""
    assets = weights.resolve("g2p")
    _, motion, codecs = load_codecs(folder)
    talker = load_talker(folder / FILES["talker"], codecs)
    other = folder / SOUND_FOLDER / FILES["talker"]
    of_sound = load_talker(other, codecs) if other.is_file() else None
    return Model(Stage(fast_talker(talker, "cpu"), motion, load_g2p(assets), PhoneTable.load(assets)), of_sound)


def run_proof(
    data: Path, folders: Sequence[Path], limit: int | None = None, seeds: int = 1, on_progress: OnProgress | None = None
) -> dict[str, float | str]:
    """The proof on the held-out responses of `data`; a flat report.

    folders: models trained with different seeds, the first of which holds the judges; each performs `seeds` times. limit: at most so many
    responses beside those of pairs. Raises ValueError without cases, CheckpointError when weights are missing.
    """
    cases = read_cases(data, limit)
    judge = load_motion_judge(folders[0] / FILE)
    masked = load_affect_classifier(folders[0] / MASKED) if (folders[0] / MASKED).is_file() else None
    steps = Steps(len(folders) * seeds, on_progress)
    runs: dict[str, list[Sums]] = {TEACHER: [scores(judge, masked, cases, [case.taught for case in cases])]}
    for number, folder in enumerate(folders):
        model = load_model(folder)
        for seed in range(seeds):
            for name, made in perform_all(model, cases, 1000 * number + seed).items():
                runs.setdefault(name, []).append(scores(judge, masked, cases, made))
            steps.tick()
    return {**report(runs)} | facts(judge, cases, len(folders) * seeds)


def perform_all(model: Model, cases: Sequence[Case], seed: int) -> dict[str, list[Example]]:
    """Motion of every case in every variant, drawn with the same numbers."""
    stage = model.stage
    fused = stage.perform(cases, [case.states for case in cases], seed)
    made = {
        FUSED: fused,
        ZEROED: stage.perform(cases, zeroed(cases), seed),
        SHUFFLED: stage.perform(cases, shuffled(cases, seed), seed),
    }
    if model.of_sound is not None:
        made[AUDIO_ONLY] = follow_sound(model.of_sound, stage.motion_codec, fused, seed)
    return {name: _examples(found) for name, found in made.items()}


def _examples(performances: Sequence[Performance]) -> list[Example]:
    return [performance.example for performance in performances]


def report(runs: dict[str, list[Sums]]) -> dict[str, float]:
    """Figures of every variant with intervals; those of `fused` also under the figure's own name."""
    figures = dict[str, float]()
    for name, found in runs.items():
        for key in found[0]:
            figures |= with_crossed_interval(f"{key}_{name}", np.stack([sums[key] for sums in found]), FIGURES[key])
    return figures | {key: figures[f"{key}_{FUSED}"] for key in FIGURES if f"{key}_{FUSED}" in figures}


def facts(judge: MotionJudge, cases: Sequence[Case], runs: int) -> dict[str, float | str]:
    """The facts that the figures rest on."""
    readable = [name for name, known in zip(judge.config.functions, judge.readable.tolist(), strict=True) if known]
    pairs = len({case.pair for case in cases if case.pair})
    return {
        "proof_responses": len(cases),
        "proof_dialogues": len({case.dialogue for case in cases}),
        "proof_pairs": pairs,
        "proof_runs": runs,
        "functions_read": " ".join(readable),
        "functions_read_count": len(readable),
    }
