"""`a2 evaluate`: measures voice, face and synchrony of freely generated answers."""

import argparse
from pathlib import Path

from a2llm.cli.arguments import Commands, count, examples

KINDS = ("voice", "face", "sync", "all")
DESCRIPTION = """\
Measure held-out answers, generated end to end: voice (word errors heard by Whisper, pitch), face (liveliness, lip closures,
blinks, affect read from the masked face), sync (lips against sound and teacher). Minutes on two cores."""
EXAMPLES = examples("a2 evaluate voice --json voice.json", "a2 evaluate all --clips 50 --json evaluation.json")


def register(commands: Commands) -> None:
    parser = commands.add_parser("evaluate", help="measure voice, face and synchrony", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("kind", choices=KINDS, help="what to measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as flat JSON")
    parser.add_argument("--clips", type=count, default=50, metavar="N", help="held-out answers (default: 50)")
    parser.add_argument("--details", type=Path, metavar="FILE", help="also write what was asked, said and heard, one JSON line per answer")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from a2llm.cli.figures_out import print_figures, write_figures
    from a2llm.cli.progress import progress
    from a2llm.evaluation.run import run_evaluation

    with progress(f"evaluating {arguments.kind}, {arguments.clips} answers") as on_progress:
        figures = run_evaluation(arguments.kind, arguments.clips, on_progress, details=arguments.details)
    if arguments.json:
        write_figures(arguments.json, figures)
    print_figures(f"a2 evaluate {arguments.kind}", figures)
