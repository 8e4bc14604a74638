"""`a2 data agreement`: how well the annotated dialogues agree with their second, blind annotation."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from a2llm.cli.arguments import Commands, examples

if TYPE_CHECKING:
    from a2llm.data.agreement import Pairs
    from a2llm.data.annotation import Phrase

CONFUSIONS = 12  # the most frequent, shown
DESCRIPTION = """\
Compare the annotated dialogues with the second, blind annotation of a tenth of them: functions, affect, stress, and the labels
that are confused most often. Kappa is agreement beyond chance: 1 is the same, 0 is chance."""


def register(actions: Commands) -> None:
    lines = examples("a2 data agreement --json agreement.json", "a2 data agreement --sheet sheet.jsonl")
    parser = actions.add_parser("agreement", help="compare two annotations", description=DESCRIPTION, epilog=lines)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as flat JSON")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write what lacks a second annotation, brackets empty, and stop")
    parser.set_defaults(run=compare)


def compare(arguments: argparse.Namespace) -> None:
    from a2llm.cli.figures_out import write_figures
    from a2llm.data.agreement import SECOND, figures, matched, sheet
    from a2llm.data.annotation import load_annotated

    first, second = list(load_annotated()), list(load_annotated(SECOND))
    if arguments.sheet:
        arguments.sheet.write_text("".join(json.dumps(row) + "\n" for row in sheet(first, second)), encoding="utf-8")
        print(arguments.sheet)
        return
    dialogues = matched(first, second)
    found = {"out_of_date": len(second) - len(dialogues)} | figures(dialogues)
    show(found, dialogues)
    if arguments.json:
        write_figures(arguments.json, found)


def show(found: Mapping[str, Any], dialogues: "list[Pairs]") -> None:
    """All together; by affect and function; what is confused."""
    from a2llm.cli.figures_out import print_figures
    from a2llm.cli.tables import print_table

    print_figures("two annotations", {name: value for name, value in found.items() if name not in ("affect", "leading", "any")})
    print_table(("affect", "kappa", "F1", "n"), [(name, *_cells(label)) for name, label in found["affect"].items()])
    heads = ("function", "leading: kappa", "F1", "n", "any place: kappa", "F1", "n")
    print_table(heads, [(name, *_cells(label), *_cells(found["any"][name])) for name, label in found["leading"].items()])
    _show_confusions("functions", dialogues, lambda phrase: phrase.functions[0])
    _show_confusions("affects", dialogues, lambda phrase: phrase.affect.category)


def _cells(label: Mapping[str, float]) -> tuple[str, str, str]:
    from a2llm.cli.figures_out import shown

    return shown(label.get("kappa", "")), shown(label.get("f1", "")), shown(label["n"])


def _show_confusions(title: str, dialogues: "list[Pairs]", label: "Callable[[Phrase], str]") -> None:
    from a2llm.cli.tables import print_table
    from a2llm.data.agreement import confusions

    rows = [(*pair, str(count)) for pair, count in confusions(dialogues, label).most_common(CONFUSIONS)]
    print_table(("first", "second", "phrases"), rows, f"{title} confused")
