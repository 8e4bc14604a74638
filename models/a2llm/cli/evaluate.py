"""`a2 evaluate`: measures voice, face, synchrony and language of freely generated answers, and proves that the face follows the meaning."""

import argparse
from collections.abc import Callable
from pathlib import Path

from a2llm.cli.arguments import Commands, count, examples

LANGUAGE, PROOF, TEACHER = "language", "proof", "teacher"
OnProgress = Callable[[int, int], None]
KINDS = ("voice", "face", "sync", "all", LANGUAGE, PROOF, TEACHER)
MAX_REAL_CLIPS = 250
PERFORMED = 120  # annotated responses that the teacher performs for its gaze and head
DESCRIPTION = """\
Measure held-out answers, generated end to end: voice (word errors heard by Whisper, pitch), face (liveliness, lip closures,
blinks, affect read from the masked face), sync (lips against sound and teacher), or all three. Minutes on two cores.
language: facts, sums, many turns, sense and things not known, judged by rule, beside the backbone as it came.
proof: what a frozen judge reads from the motion of held-out annotated responses of a data set (--data), made from their meaning, from
none, from that of others, and from the sound alone.
teacher: the motion teacher against recordings of a real face, whose folder --clips is then (docs/data.md)."""
EXAMPLES = examples(
    "a2 evaluate voice --json voice.json",
    "a2 evaluate all --clips 50 --json evaluation.json",
    "a2 evaluate language --json language.json --details answers.jsonl",
    "a2 evaluate proof --data datasets/default --model runs/default --json proof.json",
    "a2 evaluate teacher --clips FOLDER --json teacher.json",
)


def register(commands: Commands) -> None:
    parser = commands.add_parser("evaluate", help="measure voice, face and synchrony", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("kind", choices=KINDS, help="what to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as flat JSON")
    clips_help = "held-out answers (default: 50); language asks whole sets; of teacher, the folder of real clips"
    parser.add_argument("--clips", type=_clips, default=50, metavar="N", help=clips_help)
    parser.add_argument("--details", type=Path, metavar="FILE", help="also write what was asked, said and heard, one JSON line per answer")
    parser.add_argument("--data", type=Path, default=Path("datasets") / "default", metavar="DIR", help="proof: a data set")
    model = "proof: trained parts with their judges; again for models of other seeds (default: the weights that ship)"
    parser.add_argument("--model", type=Path, action="append", metavar="DIR", help=model)
    parser.add_argument("--seeds", type=count, default=1, metavar="N", help="proof: performances of each response (default: 1)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from a2llm.cli.figures_out import print_figures, write_figures
    from a2llm.cli.progress import progress

    measure = {LANGUAGE: _ask, PROOF: _prove, TEACHER: _hold_teacher}.get(arguments.kind, _evaluate)
    if isinstance(arguments.clips, Path) != (arguments.kind == TEACHER):
        raise ValueError(f"--clips is a folder of real clips for `a2 evaluate teacher` and a number for all else, not {arguments.clips}")
    what = "" if arguments.kind == TEACHER else f", {arguments.clips} answers"
    with progress(f"evaluating {arguments.kind}{what}") as on_progress:
        figures = measure(arguments, on_progress)
    if arguments.json:
        write_figures(arguments.json, figures)
    print_figures(f"a2 evaluate {arguments.kind}", figures)


def _evaluate(arguments: argparse.Namespace, on_progress: OnProgress) -> dict[str, float | str]:
    from a2llm.evaluation.run import run_evaluation

    return run_evaluation(arguments.kind, arguments.clips, on_progress, details=arguments.details)


def _prove(arguments: argparse.Namespace, on_progress: OnProgress) -> dict[str, float | str]:
    from a2llm.components import model_folder
    from a2llm.evaluation.proof import run_proof

    return run_proof(arguments.data, arguments.model or [model_folder()], arguments.clips, arguments.seeds, on_progress)


def _hold_teacher(arguments: argparse.Namespace, on_progress: OnProgress) -> dict[str, float | str]:
    from a2llm.evaluation.teacher import evaluate_teacher

    return evaluate_teacher(arguments.clips, MAX_REAL_CLIPS, PERFORMED, on_progress)


def _clips(text: str) -> int | Path:
    """A number of responses, or a folder that is there."""
    return Path(text) if Path(text).is_dir() else count(text)


def _ask(arguments: argparse.Namespace, on_progress: OnProgress) -> dict[str, float | str]:
    from a2llm.evaluation.language.run import run_language

    return run_language(on_progress, details=arguments.details)
