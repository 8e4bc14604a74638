"""docs/security.md can be counted: every row is complete, and every test it names exists."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
COLUMNS = ["id", "severity", "finding", "state", "what was done", "test"]
LINES = [line for line in (TESTS.parent / "docs" / "security.md").read_text().splitlines() if line.startswith("|")]
ROWS = [dict(zip(COLUMNS, (cell.strip() for cell in line.strip("|").split("|")), strict=True)) for line in LINES[2:]]


def test_the_columns_are_stable() -> None:
    assert [cell.strip() for cell in LINES[0].strip("|").split("|")] == COLUMNS
    ids = [row["id"] for row in ROWS]
    assert len(set(ids)) == len(ids) and {f"S{number}" for number in range(1, 18)} <= set(ids)


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_a_row_is_complete_and_its_tests_exist(row: dict[str, str]) -> None:
    assert row["state"] in ("open", "mended", "refused") and row["severity"] in ("critical", "major", "medium", "small")
    assert row["finding"] and (row["state"] == "open" or row["what was done"])
    assert row["test"] or row["state"] != "mended"
    for named in filter(None, row["test"].split(", ")):
        file, _, name = named.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in found, f"{row['id']}: no test {named}"
