"""Breaks the chart in many small ways, one at a time, and looks whether the chart's checks notice: `make mutate-chart JSON=FILE`.

A mutant is one piece of text replaced in a copy of the chart. It is caught when Helm refuses it or a check of tests/contract/chart says
something: first those that need only what was rendered (a second for all profiles), and only if they are silent the whole folder.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import helm_python

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from support.chart.checks import CHECKS  # noqa: E402
from support.chart.mutants import MUTANTS, Mutant  # noqa: E402
from support.chart.render import CHART, profiles, render  # noqa: E402


def copy_of_chart(folder: Path) -> Path:
    """With files where links were."""
    return Path(shutil.copytree(CHART, folder / "a2llm"))


def complaint(chart: Path) -> str:
    """First complaint of the quick checks; empty if they have none."""
    examples = {path.stem: helm_python.values_from_yaml(path.read_text()) for path in chart.glob("values-*.yaml")}
    for name, values in {**profiles(), **examples}.items():
        if said := _first_problem(chart, values):
            return f"{name}: {' '.join(said.split())}"
    return ""


def _first_problem(chart: Path, values: dict[str, Any]) -> str:
    """A check that falls over what it did not expect has noticed, too."""
    try:
        found = render(values, chart)
        return next((f"{check.__name__}: {problem}" for check in CHECKS for problem in check(found)), "")
    except (helm_python.HelmError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def tests_complain(chart: Path) -> str:
    """The whole folder, on another chart."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(HERE.parent / "contract" / "chart")]
    done = subprocess.run(command, env=os.environ | {"A2_CHART": str(chart)}, capture_output=True, text=True, timeout=300)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return failed[0] if failed else ""


def judge(mutant: Mutant, chart: Path) -> str:
    """Why it was caught; empty if it lives. The file is as before afterwards."""
    path = chart / mutant.file
    text = path.read_text()
    if mutant.old not in text:
        sys.exit(f"no longer in {mutant.file}: {mutant.old}")
    path.write_text(text.replace(mutant.old, mutant.new, 1))
    try:
        return complaint(chart) or tests_complain(chart)
    finally:
        path.write_text(text)


def main() -> None:
    """Writes {"mutants", "mutants_caught", "alive"}; ends with 1 if any lives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chart = copy_of_chart(Path(folder))
        if problem := complaint(chart):
            sys.exit(f"the chart is not well before anything is broken: {problem}")
        caught = {mutant: judge(mutant, chart) for mutant in MUTANTS}
    for mutant, why in caught.items():
        print(f"{'caught' if why else 'ALIVE '}  {mutant.file}: {mutant.old!r} -> {mutant.new!r}\n        {why[:200]}")
    alive = [f"{mutant.file}: {mutant.old} -> {mutant.new}" for mutant, why in caught.items() if not why]
    print(f"{len(caught) - len(alive)} of {len(caught)} caught")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"mutants": len(caught), "mutants_caught": len(caught) - len(alive), "alive": alive}, indent=1) + "\n"
        )
    sys.exit(1 if alive else 0)


if __name__ == "__main__":
    main()
