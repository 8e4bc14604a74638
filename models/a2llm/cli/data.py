"""`a2 data`: builds the synthetic training set, reports on one, and compares annotations."""

import argparse
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from a2llm.cli import agreement
from a2llm.cli.arguments import Commands, count, examples, hours, whole

if TYPE_CHECKING:
    from a2llm.data.stages import DataPlan

DEFAULT = Path("datasets") / "default"
DESCRIPTION = "The synthetic question-answer set: texts, the teacher's voice and face for every answer, hidden states."
BUILD = """\
Build the training set in stages, each resumable: texts (--hours of annotated responses, rare ones preferred, written and repeated lines,
drills, and --samples more from the backbone), the audio codec, speech with motion in shards, the backbone's states. Some hours on two
cores; Ctrl-C stops, the same command goes on. The same settings and seed give the same data."""
REPORT = "Describe a data set: report.json, overview.png and motion.png (hours, affects, phones, pitch, durations, splits, motion)."


def register(commands: Commands) -> None:
    lines = examples("a2 data build --out datasets/default --workers 2", "a2 data report datasets/default")
    parser = commands.add_parser("data", help="build the training set, report on it", description=DESCRIPTION, epilog=lines)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _register_build(actions)
    lines = examples("a2 data report datasets/default --out report")
    report = actions.add_parser("report", help="describe a data set", description=REPORT, epilog=lines)
    report.add_argument("data", nargs="?", type=Path, default=DEFAULT, metavar="DIR", help=f"the data set (default: {DEFAULT})")
    report.add_argument("--out", type=Path, metavar="DIR", help="where the report goes (default: DIR/report)")
    report.set_defaults(run=report_on)
    agreement.register(actions)


def _register_build(actions: Commands) -> None:
    lines = ("a2 data build", "a2 data build --out datasets/large --samples 5000 --variants 3 --workers 8")
    build = actions.add_parser("build", help="build a data set", description=BUILD, epilog=examples(*lines))
    build.add_argument("--out", type=Path, default=DEFAULT, metavar="DIR", help=f"its folder (default: {DEFAULT})")
    build.add_argument("--hours", type=hours, default=12.0, metavar="N", help="of annotated responses, at most (default: 12)")
    build.add_argument("--plain", type=whole, default=1500, metavar="N", help="lines of dialogues and facts, at most (default: 1500)")
    build.add_argument("--samples", type=whole, default=0, metavar="N", help="more answers, sampled from the backbone (default: 0)")
    build.add_argument("--drills", type=whole, default=1200, metavar="N", help="lines of random dictionary words (default: 1200)")
    build.add_argument("--variants", type=count, default=1, metavar="N", help="affects each text is spoken with (default: 1, its own)")
    build.add_argument("--voices", type=names, metavar="NAMES", help="with commas between (default: heart; several are Kokoro's)")
    build.add_argument("--seed", type=whole, default=0, metavar="N", help="of everything random (default: 0)")
    build.add_argument("--workers", type=count, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)")
    build.set_defaults(run=build_all)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between. Raises ValueError where there is none."""
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    if not found:
        raise ValueError("name at least one voice")
    return found


def build_all(arguments: argparse.Namespace) -> None:
    from a2llm.data.stages import DataPlan, settle_plan

    fields = ("hours", "plain", "samples", "drills", "variants", "seed")
    plan = DataPlan(**{name: getattr(arguments, name) for name in fields})
    plan = replace(plan, voices=arguments.voices) if arguments.voices else plan
    settle_plan(arguments.out, plan)
    text_stage(arguments.out, plan)
    codec_stage(arguments.out, plan)
    speech_stage(arguments.out, plan, arguments.workers)
    hidden_stage(arguments.out, arguments.workers)
    print(f"{arguments.out} is complete: a2 data report {arguments.out}")


def text_stage(folder: Path, plan: "DataPlan") -> None:
    from a2llm.cli.progress import progress
    from a2llm.data.stages import make_text

    with progress("1/4 texts") as on_progress:
        make_text(folder, plan, on_progress)


def codec_stage(folder: Path, plan: "DataPlan") -> None:
    from a2llm.cli.progress import working
    from a2llm.data.stages import make_codec

    with working(f"2/4 audio codec, fitted on {plan.codec_utterances} utterances"):
        make_codec(folder, plan)


def speech_stage(folder: Path, plan: "DataPlan", workers: int) -> None:
    from a2llm.cli.progress import progress
    from a2llm.data.stages import make_speech

    # Workers die of Ctrl-C without a word; this process tells.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    with progress("3/4 speech and motion") as on_progress:
        make_speech(folder, plan, workers, on_progress)


def hidden_stage(folder: Path, threads: int) -> None:
    from a2llm.cli.progress import progress
    from a2llm.data.stages import make_hidden

    with progress("4/4 hidden states") as on_progress:
        make_hidden(folder, threads, on_progress)


def report_on(arguments: argparse.Namespace) -> None:
    from a2llm.cli.progress import progress
    from a2llm.data.report import write_report

    with progress(f"reading {arguments.data}") as on_progress:
        files = write_report(arguments.data, arguments.out or arguments.data / "report", on_progress)
    print("\n".join(str(file) for file in files))
