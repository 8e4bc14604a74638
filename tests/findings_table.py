"""The table "Findings" of docs/kubernetes.md, to be counted: `python tests/findings_table.py` prints as JSON how many are open."""

import json
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "kubernetes.md"
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


if __name__ == "__main__":
    print(json.dumps(left_open(rows())))
