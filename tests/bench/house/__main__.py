"""Prints how the code reads, and writes it as flat JSON: `make house JSON=FILE`. It counts and judges, and changes nothing."""

import argparse
import json
import sys
from pathlib import Path

from bench.house.figures import all_figures, numbers, text
from bench.house.tree import ROOT


def main(arguments: list[str]) -> None:
    """Raises SystemExit(1) with --strict when a bar is missed."""
    parser = argparse.ArgumentParser(prog="make house", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here")
    parser.add_argument("--all", action="store_true", help="list everything that was counted, not only the first 30 of each")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a figure misses its bar")
    options = parser.parse_args(arguments)
    figures = all_figures(ROOT)
    print(text(figures, 10**6 if options.all else 30))
    if options.json:
        options.json.write_text(json.dumps(numbers(figures), indent=1) + "\n")
    if options.strict and not all(figure.holds for figure in figures.values()):
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
