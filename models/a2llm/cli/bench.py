"""`a2 bench`: how fast it answers, beside a cascade made of the same packages."""

import argparse
from pathlib import Path

from a2llm.cli.arguments import Commands, count, examples

DESCRIPTION = """\
Measure the latency of responses, warm, in one process with two threads: the first packet with voice and motion after a typed
and after a spoken question, the first word, compute time per second of speech by part, and a cascade of separate models
(faster-whisper, SmolLM2, whole-sentence text-to-speech, teacher motion) in the same run."""
EXAMPLES = examples("a2 bench response --prompts 50 --json bench.json", "a2 bench response --prompts 5")


def register(commands: Commands) -> None:
    parser = commands.add_parser("bench", help="measure latency and speed", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("what", choices=("response",), help="what to measure")
    parser.add_argument("--prompts", type=count, default=50, metavar="N", help="how many questions (default: 50)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as flat JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from a2llm.cli.figures_out import print_figures, write_figures
    from a2llm.cli.progress import progress
    from a2llm.evaluation.bench import bench_response

    with progress(f"answering {arguments.prompts} questions") as on_progress:
        figures = bench_response(arguments.prompts, on_progress)
    if arguments.json:
        write_figures(arguments.json, figures)
    print_figures("a2 bench response", figures)
