"""The tables "Findings" of docs/kubernetes.md and docs/security.md, to be read and counted.

`python tests/support/findings_table.py` prints as JSON how many of docs/kubernetes.md are open.
"""

import ast
import json
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "kubernetes.md"
SECURITY = TESTS.parent / "docs" / "security.md"
COLUMNS = ("id", "severity", "finding", "state", "what was done", "test")
STATES = ("open", "mended", "refused")


def rows(document: Path = DOCUMENT) -> list[dict[str, str]]:
    """By the columns' names. Raises ValueError for another head, or a row with more or fewer cells."""
    section = document.read_text().partition("\n## Findings\n")[2].partition("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    if not cells or tuple(cells[0]) != COLUMNS:
        raise ValueError(f"{document.name} has no table of findings with the columns {', '.join(COLUMNS)}")
    return [dict(zip(COLUMNS, row, strict=True)) for row in cells[2:]]


def left_open(found: list[dict[str, str]]) -> dict[str, int]:
    """By the letter of the id."""
    return {f"findings_{letter}_open": sum(row["id"].startswith(letter) and row["state"] == "open" for row in found) for letter in "ABN"}


def faults(row: dict[str, str]) -> list[str]:
    """Faults of a row: a state that is none, a mend without words or test, a test that is not there."""
    found = [] if row["finding"] and row["state"] in STATES else ["it has no finding or no state"]
    if (row["state"] != "open" and not row["what was done"]) or (row["state"] == "mended" and not row["test"]):
        found.append("it does not say what was done, or which test shows it")
    return found + [f"no test {named}" for named in filter(None, row["test"].split(", ")) if not _is_there(*named.split("::"))]


def _is_there(file: str, name: str) -> bool:
    tree = ast.parse((TESTS / file).read_text())
    return name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


if __name__ == "__main__":
    print(json.dumps(left_open(rows())))
