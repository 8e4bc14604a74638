"""`a2 train`: runs a recipe, or lists them."""

import argparse
import sys
from pathlib import Path

from a2llm.cli.arguments import Commands, checked, examples, minutes
from a2llm.recipes import RECIPES, find_recipe

DESCRIPTION = """\
Train one component with a complete, named configuration. Ctrl-C saves and stops; the same command goes on.
Without a recipe it lists them. Weights, checkpoints and loss curves (.jsonl, .png) go to --out; a folder with all trained
components can be spoken with: A2_MODEL=runs/default a2 chat."""
EXAMPLES = examples("a2 train", "a2 train debug", "a2 train talker --data datasets/default --out runs/default --minutes 120")


@checked
def recipe(text: str) -> str:
    find_recipe(text)
    return text


def register(commands: Commands) -> None:
    parser = commands.add_parser("train", help="train a component", description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("recipe", nargs="?", type=recipe, metavar="RECIPE", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument("--data", type=Path, metavar="DIR", help="data set (default: datasets/default; debug recipes make their own)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where the run lives (default: runs/default, runs/debug)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 ... (default: the GPU if there is one)")
    parser.add_argument("--minutes", type=minutes, metavar="M", help="stop after so long (default: the recipe's steps)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    if arguments.recipe is None:
        _list()
        return
    from a2llm.cli.figures_out import print_figures
    from a2llm.cli.progress import progress
    from a2llm.layers.device import pick_device
    from a2llm.recipes import Job, default_folders, train

    data, out = default_folders(arguments.recipe)
    out = arguments.out or out
    data = arguments.data or (out / "data" if find_recipe(arguments.recipe).small else data)
    device = pick_device(arguments.device)
    with progress(f"training {arguments.recipe} on {device}") as on_progress:
        figures = train(arguments.recipe, Job(data, out, device, arguments.minutes, on_progress))
    print(f"wrote {out}", file=sys.stderr)
    print_figures(f"a2 train {arguments.recipe}", figures)


def _list() -> None:
    from a2llm.cli.tables import print_table

    print_table(("recipe", "trains"), [(name, found.describe) for name, found in RECIPES.items()])
